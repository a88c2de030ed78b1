"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language


def site(request: HttpRequest) -> dict[str, Any]:
    """The page's own address in both languages, for the switch and hreflang."""
    path = request.get_full_path()
    bare = path[3:] if path[:4] in ("/ko/", "/en/") else path
    return {"language": get_language(), "bare_path": bare, "public_url": settings.PUBLIC_URL}
