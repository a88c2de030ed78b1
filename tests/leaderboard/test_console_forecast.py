"""Forecasts of the line, and how well they have held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from leaderboard.console.forecast import Ended, Forecast, Held, Waiting, forecasts, held

A, B = (1, "hf"), (2, "api")
START = datetime(2026, 1, 1, tzinfo=UTC)


def _ended(*seconds: float, kind: tuple[int, str] = A) -> list[Ended]:
    """Runs that ended an hour apart."""
    return [Ended(kind, START + timedelta(hours=n), took) for n, took in enumerate(seconds)]


def test_nothing_is_forecast_until_a_kind_was_measured_twice() -> None:
    assert held(_ended(10, 10)) == Held(0, None, None)
    assert held([*_ended(10, 20), *_ended(10, 20, kind=B)]) == Held(0, None, None)


def test_the_error_is_that_of_the_median_of_the_runs_before() -> None:
    # The third is forecast as 15 s and took 20 (25 % off, inside 10..20); the fourth as 20 and took 40 (50 %, outside).
    assert held(_ended(10, 20, 20, 40)) == Held(2, 0.375, 0.5)


def test_the_order_of_the_rows_does_not_count_but_that_of_the_ends() -> None:
    assert held(reversed(_ended(10, 20, 20, 40))) == held(_ended(10, 20, 20, 40))


def test_the_line_is_empty_when_the_workers_have_shared_the_work() -> None:
    found = forecasts([Waiting("gpu", A, 4)], _ended(100, 200), {"gpu": 2})
    assert found == [Forecast("gpu", 4, 2, (200.0, 400.0), 0)]


def test_without_workers_or_measurements_no_end_is_promised() -> None:
    line = [Waiting("gpu", A, 4), Waiting("gpu", B, 3)]
    assert forecasts(line, _ended(100, 200), {"gpu": 1}) == [Forecast("gpu", 7, 1, None, 3)]
    assert forecasts(line[:1], _ended(100, 200), {}) == [Forecast("gpu", 4, 0, None, 0)]


def test_an_idle_lane_with_workers_is_empty_now() -> None:
    assert forecasts([], [], {"eval": 3}) == [Forecast("eval", 0, 3, (0.0, 0.0), 0)]
