"""JSON Schema of every message, and what makes a change of one incompatible.

The schemas are kept in the repository. A reader of the old version must be able to read what the new one writes, and
the other way round, because logs are read for ever and two versions of a service run side by side during an upgrade:
so a field may be added with a default, and nothing else may change. Anything more is a new version of the message.
"""

from typing import Any, get_origin

import msgspec
import numpy as np

from banyan.columns import LARGEST_PLAIN
from banyan.messages import Message

_COLUMN = {
    "type": "array",
    "items": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^-?[0-9]+$"}]},
    "description": f"whole numbers of 64 bits; beyond {LARGEST_PLAIN} as strings",
}


def schema_of(kind: type[Message]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a message type."""
    schema = msgspec.json.schema(kind, schema_hook=_schema_of_column)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": kind.wire_name,
        **_inlined(schema),
    }


def incompatibilities(old: Any, new: Any, path: str = "") -> list[str]:
    """Return what stands against replacing schema `old` by `new`; empty where the change is compatible."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [each for at, (one, other) in pairs for each in incompatibilities(one, other, f"{path}{at}.")]
    if not isinstance(old, dict) or not isinstance(new, dict):
        return [] if old == new else [f"{path or 'message'}: {old!r} became {new!r}"]
    found: list[str] = []
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    for name in old_fields.keys() - new_fields.keys():
        found.append(f"{path}{name}: the field is gone")
    required = set(new.get("required", ()))
    for name in new_fields.keys() - old_fields.keys():
        if name in required:
            found.append(f"{path}{name}: a new field needs a default")
    for name in sorted(required & old_fields.keys() - set(old.get("required", ()))):
        found.append(f"{path}{name}: the field was optional and is required now")
    for name in sorted(old_fields.keys() & new_fields.keys()):
        found += incompatibilities(old_fields[name], new_fields[name], f"{path}{name}.")
    for word in sorted(
        (old.keys() | new.keys()) - {"properties", "required", "description", "title", "default", "$id"}
    ):
        found += incompatibilities(old.get(word), new.get(word), f"{path}{word}.")
    return found


def _schema_of_column(kind: Any) -> dict[str, Any]:
    if kind is np.ndarray or get_origin(kind) is np.ndarray:
        return _COLUMN
    raise TypeError(f"{kind} is nothing that a message holds")


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with its definitions in place of references to them: one file, read from top to bottom."""
    definitions = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return resolve(definitions[part["$ref"].rpartition("/")[2]])
            return {key: resolve(value) for key, value in part.items()}
        return [resolve(each) for each in part] if isinstance(part, list) else part

    resolved: dict[str, Any] = resolve(schema)
    return resolved
