"""Statements that come again and again, prepared once for a connection, called with values as they are on the wire.

A call is one of libpq's, which waits without Python: what psycopg does about each value and each result took as long as
a commit itself.
"""

from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import psycopg
from psycopg.errors import DuplicatePreparedStatement, error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

_BINARY = 1
_DONE = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class Prepared:
    """The prepared statements of one connection, each a transaction of its own. Not for several threads at once."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.connection = connection
        self._names: dict[str, bytes] = {}

    def rows(self, statement: str, parameters: Sequence[bytes]) -> list[tuple[Any, ...]]:
        """Execute a statement, whose parameters are $1, $2, … in binary; return its rows: bytes, or None for NULL.

        Raises psycopg.Error, of the kind that the server's answer says; psycopg.OperationalError where there is none.
        """
        name = self._names.get(statement) or self._prepare(statement)
        result = self._checked(
            self.connection.pgconn.exec_prepared(name, parameters, [_BINARY] * len(parameters), _BINARY)
        )
        columns = range(result.nfields)
        return [tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)]

    def _prepare(self, statement: str) -> bytes:
        name = b"banyan_" + blake2b(statement.encode(), digest_size=12).hexdigest().encode()
        with suppress(DuplicatePreparedStatement):  # by somebody else who was lent this connection
            self._checked(self.connection.pgconn.prepare(name, statement.encode()))
        self._names[statement] = name
        return name

    def _checked(self, result: PGresult) -> PGresult:
        if result.status in _DONE:
            return result
        if self.connection.pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError(result.get_error_message())
        raise error_from_result(result)


def prepared_on(connection: "psycopg.Connection[Any]", known: Prepared | None) -> Prepared:
    """Return the statements of a connection: those that are known, or none yet where it is another one."""
    return known if known is not None and known.connection is connection else Prepared(connection)
