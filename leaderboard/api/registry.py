"""One description per endpoint: its address, its parameters and how they are read, its answer and an example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.http import HttpRequest, QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from leaderboard.api import schemas
from leaderboard.api.schemas import Schema

MAX_TEXT = 300
# What a 64-bit column holds; an identifier beyond is unknown, not an error of the database.
MAX_ID = 2**63 - 1


class ApiError(Exception):
    """An answer that is not 200: a plain message, and which parameter and value it is about."""

    def __init__(self, status: int, message: str, parameter: str | None = None, value: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.parameter, self.value = status, message, parameter, value


@dataclass(frozen=True)
class Parameter:
    """A query parameter. `read` turns its text into a value and raises ValueError with what is allowed instead."""

    name: str
    description: str | Promise
    schema: Schema
    read: Callable[[str], Any]
    default: Any = None

    def value(self, raw: str) -> Any:
        """The value of a text from the address. Raises ApiError 400 naming the value."""
        if "\x00" in raw:
            refuse(self.name, raw, _("It contains a NUL character."))
        try:
            return self.read(raw)
        except ValueError as error:
            refuse(self.name, raw, str(error))


def refuse(name: str, value: str, why: str) -> NoReturn:
    """Raises the 400 for a value that an endpoint does not know."""
    shown = value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}…"
    message = _("%(name)s cannot be “%(value)s”. %(why)s") % {"name": name, "value": shown, "why": why}
    raise ApiError(400, message, name, shown)


def choice(name: str, values: Sequence[str], description: str | Promise) -> Parameter:
    """One of a fixed set of words; absent or empty is None."""

    def read(raw: str) -> str | None:
        if raw and raw not in values:
            raise ValueError(_("Choose one of: %(values)s.") % {"values": ", ".join(values)})
        return raw or None

    return Parameter(name, description, schemas.one_of(*values), read)


def whole(
    name: str, description: str | Promise, *, minimum: int = 1, maximum: int = 10**9, default: int = 1
) -> Parameter:
    """A whole number in ASCII digits."""

    def read(raw: str) -> int:
        if not (raw.isascii() and raw.isdigit() and len(raw) <= 19 and minimum <= int(raw) <= maximum):
            bounds = {"minimum": minimum, "maximum": maximum}
            raise ValueError(_("Give a whole number from %(minimum)d to %(maximum)d.") % bounds)
        return int(raw)

    schema = {"type": "integer", "minimum": minimum, "maximum": maximum, "default": default}
    return Parameter(name, description, schema, read, default)


def words(name: str, description: str | Promise, *, longest: int = 100) -> Parameter:
    """Free text of at most so many characters; the endpoint itself may know which texts mean something."""

    def read(raw: str) -> str:
        if len(raw) > longest:
            raise ValueError(_("Give at most %(longest)d characters.") % {"longest": longest})
        return raw.strip()

    return Parameter(name, description, schemas.text(maxLength=longest), read, "")


PAGE = whole("page", gettext_lazy("Page of the list, from 1."), maximum=10**6)


@dataclass(frozen=True)
class Endpoint:
    """One address that answers GET.

    `route` is Django's pattern, `path` the same as OpenAPI writes it. `answer` takes the request and the values of
    the path and of every parameter by name, and returns what becomes JSON, or a response. `trial` is an address that
    works on any site, for the link on the docs page. `is_live` answers hold seconds and are never stored.
    """

    path: str
    route: str
    name: str
    summary: str | Promise
    description: str | Promise
    answer: Callable[..., Any]
    response: Schema
    example: Any
    parameters: tuple[Parameter, ...] = ()
    path_parameters: dict[str, Schema] = field(default_factory=dict)
    trial: str = ""
    statuses: tuple[int, ...] = (400,)
    content_type: str = "application/json"
    is_live: bool = False
    is_strict: bool = True

    def values(self, query: QueryDict) -> dict[str, Any]:
        """The parameters' values, defaults where they are absent. Raises ApiError 400 for what is not known."""
        known = {parameter.name: parameter for parameter in self.parameters}
        values = {name: parameter.default for name, parameter in known.items()}
        for name in query:
            given = query.getlist(name)
            if name not in known:
                if self.is_strict:
                    self._unknown(name, given[-1] if given else "")
                continue
            if len(given) > 1:
                refuse(name, ", ".join(given), _("It is given more than once."))
            values[name] = known[name].value(given[0]) if given else known[name].default
        return values

    def _unknown(self, name: str, value: str) -> NoReturn:
        names = ", ".join(parameter.name for parameter in self.parameters)
        why = _("Known are: %(names)s.") % {"names": names} if names else _("This address takes no parameters.")
        message = _("There is no parameter “%(name)s” here. %(why)s") % {"name": name[:MAX_TEXT], "why": why}
        raise ApiError(400, message, name[:MAX_TEXT], value[:MAX_TEXT])


ENDPOINTS: list[Endpoint] = []


def endpoint(**description: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers the function below as an `Endpoint` with this description; registered twice it stands there once."""

    def register(answer: Callable[..., Any]) -> Callable[..., Any]:
        made = Endpoint(answer=answer, **description)
        if made.path not in {known.path for known in ENDPOINTS}:
            ENDPOINTS.append(made)
        return answer

    return register


Answer = Callable[[HttpRequest], Any]
