"""The page a person reads: every endpoint with its parameters, an example and a link to try it."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_safe

from leaderboard.api.registry import ENDPOINTS, Endpoint


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Made from the registry; no query."""
    context = {"endpoints": [_shown(endpoint) for endpoint in ENDPOINTS], "language": get_language() or "ko"}
    return render(request, "api/docs.html", context)


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    is_text = isinstance(endpoint.example, str)
    return {
        "name": endpoint.name,
        "path": endpoint.path,
        "summary": endpoint.summary,
        "description": endpoint.description,
        "trial": endpoint.trial,
        "path_parameters": [
            {"name": name, "description": gettext(text) if (text := schema.get("description")) else ""}
            for name, schema in endpoint.path_parameters.items()
        ],
        "parameters": [
            {
                "name": parameter.name,
                "description": parameter.description,
                "values": parameter.schema.get("enum", []),
                "default": parameter.default or "",
            }
            for parameter in endpoint.parameters
        ],
        "example": endpoint.example if is_text else json.dumps(endpoint.example, ensure_ascii=False, indent=2),
    }
