"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language


def site(request: HttpRequest) -> dict[str, Any]:
    """The page's own address in both languages, for the switch and hreflang."""
    return public(request.get_full_path(), get_language() or "ko")


def public(full_path: str, language: str) -> dict[str, Any]:
    """The same for a page that is rendered for everybody, without a request."""
    bare = full_path[3:] if full_path[:4] in ("/ko/", "/en/") else full_path
    return {"language": language, "bare_path": bare, "public_url": settings.PUBLIC_URL}
