"""Scores of judges in templates: means with their interval, shares with theirs, money, categories."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from judging.bias import Share
from judging.scores import Mean
from leaderboard import charts, panel
from leaderboard.inference import Interval
from leaderboard.multi_turn_choice import category_title, mode_title
from leaderboard.qualities import QUALITIES

register = template.Library()

MISSING = "–"
register.filter("category", category_title)
register.filter("mode", mode_title)
register.simple_tag(charts.legend_mark, name="legend_mark")


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """The value of a key; None where there is none."""
    return mapping.get(key)


@register.filter
def score(value: float | None) -> str:
    """A score with two decimals; a dash where there is none."""
    return MISSING if value is None else f"{value:.2f}"


@register.filter
def change(value: float | None) -> str:
    """A difference of scores with its sign."""
    return MISSING if value is None else f"{value:+.2f}".replace("-", "−")


@register.simple_tag
def mean(value: Mean | None, low: float = 0.0, high: float = 10.0, bold: bool = False) -> SafeString:
    """A table cell: the mean, its 95 % interval, and a shade from `low` to `high`; the counts in the title."""
    if value is None or value.value is None:
        why = _("no judgment could be read") if value and value.failed else _("not judged")
        return format_html('<td class="faint" title="{}">–</td>', why)
    step = min(9, max(0, int((value.value - low) / (high - low) * 10)))
    counts = f"n={value.n:,}"
    if value.failed:
        counts += ", " + _("without a verdict") + f" {value.failed:,}"
    between = "" if value.low is None or value.high is None else f"{value.low:.2f}–{value.high:.2f}"
    shown = format_html("<b>{}</b>" if bold else "{}", f"{value.value:.2f}")
    return format_html('<td class="h{}" title="{}">{}<i>{}</i></td>', step, counts, shown, between)


@register.filter
def share(value: Share | dict[str, Any] | None) -> SafeString | str:
    """A share in per cent with its 95 % interval and its counts; a dash where nothing was counted."""
    if isinstance(value, dict):
        value = Share(value.get("hits") or 0, value.get("n") or 0)
    if value is None or value.value is None or value.interval is None:
        return format_html('<span class="faint" title="{}">–</span>', _("nothing to count"))
    low, high = value.interval
    return format_html(
        '<span class="share">{} % <i class="soft">{}–{}</i> <small class="soft">{}/{}</small></span>',
        f"{100 * value.value:.1f}",
        f"{100 * low:.1f}",
        f"{100 * high:.1f}",
        f"{value.hits:g}",
        value.n,
    )


@register.filter
def won(value: int | None) -> str:
    """Won without decimals; a dash where no price is known."""
    return MISSING if value is None else f"₩{value:,}"


@register.filter
def dollars(value: Decimal | float | None) -> str:
    """US dollars with as many decimals as they need."""
    return MISSING if value is None else f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


@register.simple_tag
def score_of(neighbour: Any, judge: Any, turn: int) -> str:
    """A neighbour's mean score by one judge on one turn."""
    return score(neighbour.scores.get((judge.pk, turn)))


@register.simple_tag
def side_by_side(answers: list[int | None]) -> str:
    """The address that shows these answers side by side; empty where there are none."""
    known = [answer for answer in answers if answer is not None]
    beside = ",".join(str(answer) for answer in known[1:])
    return f"/answers/{known[0]}/{f'?with={beside}' if beside else ''}" if known else ""


OUTCOMES = {
    panel.WIN: pgettext_lazy("verdict", "won"),
    panel.TIE: pgettext_lazy("verdict", "tie"),
    panel.LOSS: pgettext_lazy("verdict", "lost"),
}


@register.filter
def outcome(code: float | None) -> str:
    """What a judge, or a vote, says of the first answer of a pair; a dash where there is no majority."""
    return MISSING if code is None else str(OUTCOMES[int(code)])


@register.simple_tag
def estimate(value: Interval | None) -> SafeString:
    """A coefficient with its 95 % interval; a dash where it is undefined."""
    if value is None:
        return format_html('<span class="faint" title="{}">–</span>', _("undefined: too few questions, or no spread"))
    signs = (f"{part:.2f}".replace("-", "−") for part in (value.value, value.low, value.high))
    return format_html('<b>{}</b> <i class="soft">{}…{}</i>', *signs)


REASONS = {
    "refusal": gettext_lazy("declined to judge"),
    "empty": gettext_lazy("said nothing"),
    "other_language": gettext_lazy("neither Korean nor English"),
    "unfinished": gettext_lazy("broke off before its verdict"),
    "malformed": gettext_lazy("its verdict is broken"),
    "fraction": gettext_lazy("a fraction instead of a score"),
    "out_of_range": gettext_lazy("a score outside the scale"),
    "contradictory": gettext_lazy("two verdicts that contradict each other"),
    "single_brackets": gettext_lazy("a number in single brackets, as a footnote has it"),
    "wrong_form": gettext_lazy("a verdict of another kind"),
    "quoted": gettext_lazy("a verdict only as a quotation"),
    "buried": gettext_lazy("a verdict in the middle of its text"),
    "no_verdict": gettext_lazy("no verdict in its text"),
    "request_failed": gettext_lazy("the request failed"),
    "not_recorded": gettext_lazy("nothing is recorded"),
    "endpoint_down": gettext_lazy("the server could not be reached"),
    "endpoint_slow": gettext_lazy("no answer in time"),
    "endpoint_html": gettext_lazy("a web page instead of an answer"),
    "endpoint_error": gettext_lazy("the server answered with an error"),
    "bad_request": gettext_lazy("the server refused the request"),
    "rate_limited": gettext_lazy("too many requests"),
    "auth": gettext_lazy("the key was refused"),
    "model_not_found": gettext_lazy("the server does not have the model"),
}


@register.filter
def why(reason: str) -> str:
    """Why there is no verdict, in words; a reason nobody has put in words as it is."""
    return str(REASONS.get(reason, reason))


@register.simple_tag
def quality(name: str) -> str:
    """A known quality in words."""
    return str(QUALITIES.get(name, name))


@register.simple_tag
def beaten(pairs: list[list[str]], canary: str) -> str:
    """The models that a canary beat, at most three by name."""
    models = [model for name, model in pairs if name == canary]
    return ", ".join(models[:3]) + (f" +{len(models) - 3}" if len(models) > 3 else "")


@register.simple_tag
def unread(counts: dict[str, int]) -> SafeString | str:
    """The share of judgments without a verdict, by its counts."""
    failed = sum(counts.get(status, 0) for status in ("unparsable", "refused", "error"))
    return share(Share(failed, failed + counts.get("done", 0)))
