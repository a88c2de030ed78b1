"""Figures and moments as a reader sees them: per cent with one decimal, half intervals, durations, times with zone."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from leaderboard.knowledge import Knowledge

register = template.Library()
Z = 1.959963984540054
MISSING = "–"


@register.filter
def percent(value: float | None) -> str:
    """A share (0..1) in per cent with one decimal; a dash where there is none."""
    return MISSING if value is None or math.isnan(value) else f"{value * 100:.1f}"


@register.filter
def half(stderr: float | None) -> str:
    """Half of the 95 % interval of a share in per cent, such as ±1.2; nothing where no error is known."""
    return "" if stderr is None or math.isnan(stderr) else f"±{Z * stderr * 100:.1f}"


@register.filter
def signed(value: float | None) -> str:
    """A difference of shares in points with its sign."""
    if value is None:
        return MISSING
    return "0.0" if abs(value) < 0.0005 else f"{value * 100:+.1f}".replace("-", "−")


@register.filter
def count(value: int | None) -> str:
    """A whole number with thousands separated; a dash where it is not known."""
    return MISSING if value is None else f"{value:,}"


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return MISSING
    if seconds < 1:
        return _("under 1 s")
    whole = round(seconds)
    if whole < 60:
        return _("%(s)d s") % {"s": whole}
    if whole < 3600:
        if whole % 60 == 0:
            return _("%(m)d min") % {"m": whole // 60}
        return _("%(m)d min %(s)d s") % {"m": whole // 60, "s": whole % 60}
    if whole < 48 * 3600:
        return _("%(h)d h %(m)d min") % {"h": whole // 3600, "m": whole % 3600 // 60}
    return _("%(d)d days") % {"d": whole // 86400}


@register.filter
def span(seconds: tuple[float, float] | None) -> str:
    """A span of seconds, such as 2 min to 5 min; a dash where nothing is known."""
    if seconds is None:
        return MISSING
    low, high = (duration(_rough(part)) for part in seconds)
    return low if low == high else _("%(low)s to %(high)s") % {"low": low, "high": high}


def _rough(seconds: float) -> float:
    """Estimates are not better than a minute, once they are longer than two."""
    return seconds if seconds < 120 else round(seconds / 60) * 60.0


@register.filter
def age(moment: datetime | None) -> str:
    """How long ago."""
    if moment is None:
        return MISSING
    seconds = max(0.0, (timezone.now() - moment).total_seconds())
    return _("just now") if seconds < 1 else _("%(duration)s ago") % {"duration": duration(seconds)}


@register.filter
def billions(parameters: int | None) -> str:
    """A number of parameters as 7.0B; millions below one billion."""
    if parameters is None:
        return MISSING
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"


@register.filter
def gigabytes(n: int | None) -> str:
    """Bytes in units of 2**30, as drivers count memory; a dash where it is not known."""
    return MISSING if n is None else f"{n / 2**30:.1f}"


@register.simple_tag
def moment(value: datetime | None) -> SafeString | str:
    """A time with its zone; UTC in the title and for machines."""
    if value is None:
        return MISSING
    local, utc = timezone.localtime(value), value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC" class="number">{} {}</time>',
        utc.isoformat(timespec="seconds"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        local.strftime("%Y-%m-%d %H:%M"),
        local.tzname() or "",
    )


@register.simple_tag
def interval(value: float | None, stderr: float | None, chance: float | None = None) -> SafeString | str:
    """A drawing of a share on 0 to 100 with its 95 % interval and a mark at chance; the number stands beside it."""
    if value is None:
        return ""
    x, spread = value * 100, Z * (stderr or 0.0) * 100
    mark = format_html('<path class="chance" d="M{} 0V8"/>', f"{chance * 100:.1f}") if chance else ""
    return format_html(
        '<svg class="ci" viewBox="0 0 100 8" aria-hidden="true"><path class="axis" d="M0 4H100"/>{}'
        '<path d="M{} 4H{}"/><circle cx="{}" cy="4" r="2.6"/></svg>',
        mark,
        f"{max(0.0, x - spread):.1f}",
        f"{min(100.0, x + spread):.1f}",
        f"{x:.1f}",
    )


@register.simple_tag
def stacked(knowledge: Knowledge) -> SafeString | str:
    """A bar of the four parts of what a model knows, widths by share; the table beside it has the figures."""
    shares = knowledge.shares()
    if shares is None:
        return ""
    starts = [sum(shares[:part]) * 100 for part in range(4)]
    parts = format_html_join(
        "",
        '<rect class="k{}" x="{}" y="0" width="{}" height="10"/>',
        ((part, f"{starts[part]:.2f}", f"{share * 100:.2f}") for part, share in enumerate(shares)),
    )
    return format_html(
        '<svg class="knowledge" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>', parts
    )
