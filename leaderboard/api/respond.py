"""From an endpoint to Django's view: parameters read, errors as JSON, an ETag, compression, GET and HEAD alone."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from leaderboard.api.registry import ENDPOINTS, ApiError, Endpoint

SHARED = "public, max-age=0, must-revalidate"
NEVER = "no-store"
JSON = "application/json"


def view(endpoint: Endpoint) -> Callable[..., HttpResponseBase]:
    """The view of an endpoint. Never a 5xx for whatever stands in the address."""

    @csrf_exempt
    def answer(request: HttpRequest, **path: Any) -> HttpResponseBase:
        try:
            if request.method not in ("GET", "HEAD"):
                raise ApiError(405, _("This address answers GET alone."))
            _check(path)
            found = endpoint.answer(request, **path, **endpoint.values(request.GET))
        except ApiError as error:
            return failure(error)
        if isinstance(found, HttpResponseBase):
            return found
        return send(request, encode(found), is_live=endpoint.is_live)

    return answer


def encode(payload: Any) -> bytes:
    """JSON as UTF-8. A number that JSON cannot write becomes null; half a surrogate pair becomes a question mark."""
    try:
        body = json.dumps(payload, cls=DjangoJSONEncoder, ensure_ascii=False, allow_nan=False)
    except ValueError:
        body = json.dumps(_finite(payload), cls=DjangoJSONEncoder, ensure_ascii=False, allow_nan=False)
    return body.encode("utf-8", errors="replace")


def send(
    request: HttpRequest, body: bytes, *, content_type: str = JSON, status: int = 200, is_live: bool = False
) -> HttpResponseBase:
    """The body with an ETag (or never stored, where it holds seconds), compressed for whoever takes it."""
    response = HttpResponse(body, content_type=content_type, status=status)
    if is_live:
        response["Cache-Control"] = NEVER
    else:
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        response["Cache-Control"], response["ETag"] = SHARED, etag
        known = get_conditional_response(request, etag=etag, response=response)
        if known is not response and known is not None:
            return known
    GZipMiddleware(lambda _request: response).process_response(request, response)
    if request.method == "HEAD":
        response.content = b""
    return response


def failure(error: ApiError) -> HttpResponse:
    """An error as JSON, never stored."""
    payload = {"error": error.message, "status": error.status, "parameter": error.parameter, "value": error.value}
    response = HttpResponse(encode(payload), content_type=JSON, status=error.status)
    response["Cache-Control"] = NEVER
    if error.status == 405:
        response["Allow"] = "GET, HEAD"
    return response


def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Any other address below /api/: 404 with the addresses there are."""
    addresses = ", ".join(endpoint.path for endpoint in ENDPOINTS)
    return failure(ApiError(404, _("There is nothing here. There are: %(addresses)s") % {"addresses": addresses}))


def _check(path: dict[str, Any]) -> None:
    for name, value in path.items():
        if isinstance(value, str) and "\x00" in value:
            raise ApiError(404, _("No name has a NUL character in it."), name)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
