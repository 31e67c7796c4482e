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
        try:
            found = orjson.loads(stream.read())
        except orjson.JSONDecodeError as error:
            raise ParseError(f"It is no JSON: {error}.") from None
        if _depth(found) > DEPTH_MAX:
            raise ParseError(f"It is deeper than {DEPTH_MAX} levels.")
        return found


def _depth(value: Any) -> int:
    """Return how many levels a value has; those beyond the most are not looked at."""
    level, depth = [value], 0
    while level and depth <= DEPTH_MAX:
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [part for each in inner for part in (each.values() if isinstance(each, dict) else each)]
        depth += bool(inner)
    return depth
