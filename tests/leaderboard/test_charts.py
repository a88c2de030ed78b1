from __future__ import annotations

import re
from xml.etree import ElementTree

from leaderboard.charts import HeatRow, Series, heat_map, radar


def test_a_radar_puts_the_highest_value_on_the_rim_and_the_lowest_in_the_middle() -> None:
    drawn = str(radar("t", ["a", "b", "c"], [Series("m", [10.0, 0.0, 5.0])], 0.0, 10.0))
    points = re.search(r'class="line" points="([^"]+)"', drawn)
    assert points is not None
    assert points[1].split()[:2] == ["260.0,60.0", "260.0,200.0"]


def test_a_missing_value_breaks_the_line_and_is_not_drawn_as_zero() -> None:
    drawn = str(radar("t", ["a", "b", "c", "d"], [Series("m", [5.0, None, 5.0, 5.0])], 0.0, 10.0))
    assert drawn.count('class="mark"') == 3
    line = re.search(r'<path class="line" d="([^"]+)"', drawn)
    assert line is not None
    assert line[1].count("M") == 2
    assert 'points="260.0,200.0' not in drawn


def test_series_differ_in_marker_as_well_as_in_colour() -> None:
    drawn = str(radar("t", ["a", "b", "c"], [Series(str(n), [5.0] * 3) for n in range(5)], 0.0, 10.0))
    assert [f"series s{n}" in drawn for n in range(5)] == [True, True, True, True, False]
    assert drawn.count("<circle") == 3


def test_there_is_no_radar_of_two_axes_and_no_empty_heat_map() -> None:
    assert radar("t", ["a", "b"], [Series("m", [1.0, 2.0])], 0.0, 10.0) == ""
    assert heat_map("t", ["a"], [], 0.0, 10.0) == ""


def test_a_heat_map_has_every_number_and_a_dash_for_what_is_missing() -> None:
    drawn = str(heat_map("t", ["a", "b"], [HeatRow("m", "/x/", [7.25, None])], 0.0, 10.0))
    assert ">7.25<" in drawn
    assert ">–<" in drawn
    assert 'class="h7"' in drawn


def test_names_in_charts_are_escaped_and_the_drawing_is_well_formed() -> None:
    name = '<script>"&'
    for drawn in (
        radar(name, [name, "b", "c"], [Series(name, [1.0, 2.0, 3.0])], 0.0, 10.0),
        heat_map(name, [name], [HeatRow(name, '/x/?a="', [1.0])], 0.0, 10.0),
    ):
        root = ElementTree.fromstring(str(drawn))
        assert root.find("title").text == name  # type: ignore[union-attr]
        assert "<script" not in str(drawn)
        assert "style=" not in str(drawn)
