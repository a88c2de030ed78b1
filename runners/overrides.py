"""Settings with a default in the code or the environment and, where staff have changed them, a row in its place.

Read where they are needed: one query for all that a caller asks about, and none on a board, which never asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.utils import timezone

from runners.models import Override

T = TypeVar("T")


def read(defaults: Mapping[str, T]) -> dict[str, T]:
    """The values in force by name: staff's where there is one, else the default. One query."""
    return {**defaults, **stored(defaults)}


def stored(names: Mapping[str, Any]) -> dict[str, Any]:
    """What staff have set among these names. One query."""
    return dict(Override.objects.filter(name__in=names).values_list("name", "value"))


def put(name: str, value: Any) -> None:
    """Sets a value, or with None lets the default hold again."""
    if value is None:
        Override.objects.filter(name=name).delete()
    else:
        Override.objects.update_or_create(name=name, defaults={"value": value, "changed_at": timezone.now()})
