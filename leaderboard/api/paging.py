"""Pages of long lists: a count, then the rows of one page by their keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from leaderboard.api.registry import ApiError


def page_of(
    found: QuerySet[Any], page: int, per_page: int, describe: Callable[[list[int]], list[dict[str, Any]]]
) -> dict[str, Any]:
    """One page as `schemas.paged` has it; `describe` gets the primary keys of its rows. Two queries and its own.

    Raises ApiError 404 for a page after the last; the first is always there.
    """
    total = found.count()
    pages = max(1, -(-total // per_page))
    if page > pages:
        message = _("There is no page %(page)d: the list has %(pages)d.") % {"page": page, "pages": pages}
        raise ApiError(404, message, "page", str(page))
    keys = list(found.values_list("pk", flat=True)[(page - 1) * per_page : page * per_page]) if total else []
    return {"page": page, "pages": pages, "total": total, "rows": describe(keys) if keys else []}
