"""Lines of the log that nobody else can write: what a caller, a broker or a file has said stays within its own line."""

import logging
from typing import Any

from banyan import tracing

_ESCAPED = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if code != 9
} | {10: "\\n", 13: "\\r"}
"""What ends a line, moves a terminal's cursor, or turns the direction of what follows."""


class OneLine(logging.Formatter):
    """Writes each message as one line; of a traceback, and nothing else, all lines are indented.

    A line that is written while a request is answered ends with the request's id.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's own name)
        """Return the line of a record."""
        request = tracing.current()
        line = super().formatMessage(record) + (f" (request {request})" if request else "")
        return line.translate(_ESCAPED)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return a traceback. What an exception says may have lines of its own: they cannot pass for ours."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        """Return where something was logged."""
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    return "\n".join(f"  | {line.translate(_ESCAPED)}" for line in text.splitlines())
