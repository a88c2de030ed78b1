"""The small marks beside a model on a board: a run that staff chose over a later one, a model that has changed."""

from __future__ import annotations

from html import escape

from django.utils.translation import gettext as _

from leaderboard import drift_page
from leaderboard.models import Rollback
from runners.models import Alarm


def marks(model_slug: str, language: str, rollback: Rollback | None, drift: Alarm | None) -> list[str]:
    """The marks as HTML; each is a word with a sign, why in its title, and leads to more."""
    found = []
    if rollback is not None:
        why = _("rolled back because: %(reason)s") % {"reason": rollback.reason}
        href, back = f"/{language}/runs/{rollback.run_id}/", _("rolled back")
        found.append(f'<a class=flag href="{href}" title="{escape(why)}">↺ {escape(back)}</a>')
    if drift is not None:
        href, changed = f"/{language}/models/{escape(model_slug)}/#drift", _("model changed")
        found.append(f'<a class=flag href="{href}" title="{escape(drift_page.said(drift))}">△ {changed}</a>')
    return found
