"""The database engine: django-timescaledb's, on an embedded server where settings give one."""

from typing import Any

from django.utils.functional import cached_property
from timescale.db.backends.postgresql.base import DatabaseWrapper as TimescaleDatabaseWrapper

from banyan.timescale.schema import SchemaEditor

_NOTICES = {
    "connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}  # fmt: skip
"""By TCP, a server that is silently gone is noticed within seconds: the system's own bounds are minutes and hours."""


class DatabaseWrapper(TimescaleDatabaseWrapper):
    """A connection that starts the embedded server when it needs one, and that does without TimescaleDB.

    `EMBEDDED` in the connection's settings is the `EmbeddedServer` to use, or None or absent for HOST and PORT.
    """

    SchemaEditorClass = SchemaEditor

    @cached_property
    def has_timescale(self) -> bool:
        """Whether this database has the TimescaleDB extension."""
        with self.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')")
            return bool(cursor.fetchone()[0])

    def get_connection_params(self) -> dict[str, Any]:
        """Return psycopg's connection arguments, of the embedded server once it runs; OPTIONS come before ours."""
        parameters: dict[str, Any] = {**_NOTICES, **super().get_connection_params()}
        server = self.settings_dict.get("EMBEDDED")
        if server is not None:
            address = server.start()
            parameters.update(host=address.host, port=address.port, user=address.user)
        return parameters

    def prepare_database(self) -> None:
        """Enable TimescaleDB where the server brings it; django-timescaledb's own crashes where it does not."""
        with self.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')")
            available = cursor.fetchone()[0]
        if available and not self.has_timescale:
            super().prepare_database()
            del self.has_timescale
        elif not available:
            super(TimescaleDatabaseWrapper, self).prepare_database()
