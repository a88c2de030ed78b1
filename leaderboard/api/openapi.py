"""The OpenAPI 3.1 document, made from the registry."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

import runners
from leaderboard.api import schemas as s
from leaderboard.api.registry import ENDPOINTS, Endpoint, endpoint

REASONS = {
    400: "A parameter or its value is not known; the message names it.",
    404: "There is no such thing; the message names it.",
    503: "The site cannot serve; the answer says why.",
}


@endpoint(
    path="/api/v1/openapi.json",
    route="openapi.json",
    name="openapi",
    summary="OpenAPI",
    description=gettext_lazy("This interface as OpenAPI 3.1."),
    response=s.free("an OpenAPI 3.1 document"),
    example={"openapi": "3.1.0"},
    trial="/api/v1/openapi.json",
)
def openapi(request: HttpRequest) -> dict[str, Any]:
    return document()


def document() -> dict[str, Any]:
    """The whole document; no query."""
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Gyeoru",
            "version": runners.VERSION,
            "summary": "Which language model is better at Korean, and why.",
            "description": "Read only. Values are 0..1; null is missing and never zero; every value has its n.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {endpoint.path: {"get": _operation(endpoint)} for endpoint in ENDPOINTS},
        "components": {"schemas": s.COMPONENTS},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in endpoint.path_parameters.items()
    ]
    query = [
        {
            "name": parameter.name,
            "in": "query",
            "required": False,
            "description": str(parameter.description),
            "schema": parameter.schema,
        }
        for parameter in endpoint.parameters
    ]
    answer = {"schema": endpoint.response, "example": endpoint.example}
    responses: dict[str, Any] = {"200": {"description": "OK", "content": {endpoint.content_type: answer}}}
    for status in endpoint.statuses:
        schema = endpoint.response if status == 503 else s.ERROR
        responses[str(status)] = {"description": REASONS[status], "content": {"application/json": {"schema": schema}}}
    return {
        "operationId": endpoint.name,
        "summary": str(endpoint.summary),
        "description": str(endpoint.description),
        "parameters": path + query,
        "responses": responses,
    }
