"""Scores of judges in templates: means with their interval, shares with theirs, money, categories."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from judging.bias import Share
from judging.scores import Mean
from leaderboard import charts
from leaderboard.multi_turn_choice import category_title, mode_title

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
        counts = f"{counts}, {_('without a verdict')} {value.failed:,}"
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
        '<span class="number">{} % <i class="soft">{}–{}</i> <small class="soft">{}/{}</small></span>',
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
