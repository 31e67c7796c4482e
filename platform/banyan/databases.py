"""The databases of the contexts, as a whole."""

from django.db import connections
from psycopg import errors, sql


def create_missing(alias: str) -> bool:
    """Create the database of `alias` on its server unless it is there; return whether it was created."""
    connection = connections[alias]
    name = connection.settings_dict["NAME"]
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", [name])
        if cursor.fetchone()[0]:
            return False
        try:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name))
            )
        except errors.DuplicateDatabase:  # another process was first
            return False
    return True
