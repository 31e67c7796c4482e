"""Reporting's database, as those who write to it use it."""

from typing import Any

import psycopg
from django.db import connections

ALIAS = "reporting"


def connect() -> "psycopg.Connection[Any]":
    """Return a connection to reporting's database, every statement of which is a transaction of its own.

    Its commits do not wait for the disk: should the server go down, rows and marks are lost together and read again.
    """
    parameters = connections[ALIAS].get_connection_params()
    wanted = {name: value for name, value in parameters.items() if name not in ("cursor_factory", "context")}
    connection = psycopg.connect(**{**wanted, "autocommit": True})
    connection.execute("SET synchronous_commit = off")
    return connection
