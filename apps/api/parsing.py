"""Bodies of calls: JSON, not deeper than anything of ours is."""

from typing import Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

DEPTH_MAX = 8


class Json(BaseParser):
    """Reads JSON."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Return what it says. Raises ParseError."""
        content = stream.read()
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"It is no JSON: {error}.") from None
        if _depth(found) > DEPTH_MAX:
            raise ParseError(f"It is deeper than {DEPTH_MAX} levels.")
        if b"\\u0000" in content and _has_zero(found):
            raise ParseError("It has a character of code 0 in it.")
        return found


def _has_zero(value: Any) -> bool:
    """Tell whether a text in a value, or a name, has a character that no database takes."""
    if isinstance(value, dict):
        return any(map(_has_zero, (*value, *value.values())))
    return any(map(_has_zero, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value


def _depth(value: Any) -> int:
    """Return how many levels a value has; those beyond the most are not looked at."""
    level, depth = [value], 0
    while level and depth <= DEPTH_MAX:
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [part for each in inner for part in (each.values() if isinstance(each, dict) else each)]
        depth += bool(inner)
    return depth
