"""JSON Schema (2020-12) in few words: what the endpoints answer, for OpenAPI and for the tests."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

COMPONENTS: dict[str, Schema] = {}


def text(description: str = "", **more: Any) -> Schema:
    return _described({"type": "string", **more}, description)


def integer(description: str = "", **more: Any) -> Schema:
    return _described({"type": "integer", **more}, description)


def number(description: str = "") -> Schema:
    return _described({"type": "number"}, description)


def flag(description: str = "") -> Schema:
    return _described({"type": "boolean"}, description)


def time(description: str = "") -> Schema:
    return _described({"type": "string", "format": "date-time"}, description)


def one_of(*values: str, description: str = "") -> Schema:
    return _described({"type": "string", "enum": list(values)}, description)


def free(description: str = "") -> Schema:
    """An object whose keys are not fixed."""
    return _described({"type": "object"}, description)


def or_null(schema: Schema, description: str = "") -> Schema:
    """The same or null: null is a number that is missing, never zero."""
    if "$ref" in schema:
        return _described({"anyOf": [schema, {"type": "null"}]}, description)
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return _described({**schema, **values, "type": [schema["type"], "null"]}, description)


def array(items: Schema, description: str = "") -> Schema:
    return _described({"type": "array", "items": items}, description)


def table(values: Schema, description: str = "") -> Schema:
    """An object with any keys and values of one kind."""
    return _described({"type": "object", "additionalProperties": values}, description)


def record(properties: dict[str, Schema], description: str = "") -> Schema:
    """An object with exactly these keys, all of them always there."""
    fixed = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return _described(fixed, description)


def component(name: str, schema: Schema) -> Schema:
    """Keeps a schema under a name and gives the reference to it."""
    COMPONENTS[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def paged(items: Schema, more: dict[str, Schema] | None = None) -> Schema:
    """One page of a long list; `items` stand under `rows`."""
    return record(
        {
            **(more or {}),
            "page": integer("this page, from 1"),
            "pages": integer("how many pages there are"),
            "total": integer("rows on all pages"),
            "rows": array(items),
        }
    )


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema


ERROR = component(
    "Error",
    record(
        {
            "error": text("what is wrong and what to change, in the language of Accept-Language"),
            "status": integer("the HTTP status again"),
            "parameter": or_null(text(), "the parameter that is meant"),
            "value": or_null(text(), "the value that was refused"),
        }
    ),
)
