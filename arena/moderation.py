"""The moderation hook: texts are looked at before a prompt is sent and before both answers are shown as complete.

`GYEORU_ARENA_MODERATION` names a callable `(texts: Sequence[str]) -> str`, empty where the texts are fine, else a short
reason. Where it raises or takes a wrong turn, the texts are refused: it fails closed. Without one nothing is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.conf import settings
from django.utils.module_loading import import_string

log = logging.getLogger(__name__)


def refused(texts: Sequence[str]) -> str:
    """Why the texts may not pass, empty where they may."""
    if not settings.ARENA_MODERATION:
        return ""
    try:
        verdict = import_string(settings.ARENA_MODERATION)(texts)
    except Exception:
        log.exception("the moderation hook failed; texts are refused until it works")
        return "moderation is not available"
    return verdict if isinstance(verdict, str) else "moderation gave no verdict"
