"""Whether a value is what a schema says: the part of JSON Schema that `leaderboard.api.schemas` writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leaderboard.api.schemas import COMPONENTS, Schema

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
_KNOWN = {"type", "description", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "$ref",
          "format", "maxLength", "minimum", "maximum", "default"}  # fmt: skip


def problems(value: Any, schema: Schema, at: str = "$") -> list[str]:
    """Every way in which `value` is not what `schema` says, with its place."""
    assert set(schema) <= _KNOWN, f"{at}: words of JSON Schema that are not checked here: {set(schema) - _KNOWN}"
    if "$ref" in schema:
        return problems(value, COMPONENTS[schema["$ref"].rsplit("/", 1)[1]], at)
    if "anyOf" in schema:
        return [] if any(not problems(value, part, at) for part in schema["anyOf"]) else [f"{at}: fits no part"]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is(value, kind) for kind in kinds):
        return [f"{at}: {value!r} is no {' or '.join(kinds)}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is none of {schema['enum']}")
    if schema.get("format") == "date-time" and isinstance(value, str):
        datetime.fromisoformat(value)
    if isinstance(value, list):
        found += [p for index, item in enumerate(value) for p in problems(item, schema["items"], f"{at}[{index}]")]
    if isinstance(value, dict):
        found += _in_object(value, schema, at)
    return found


def _in_object(value: dict[str, Any], schema: Schema, at: str) -> list[str]:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        if name in properties:
            found += problems(item, properties[name], f"{at}.{name}")
        elif more is False:
            found.append(f"{at}: {name} is not known")
        elif isinstance(more, dict):
            found += problems(item, more, f"{at}.{name}")
    return found


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])
