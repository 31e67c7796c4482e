"""Databases of tests as copies: the first process of a run migrates its own, and the others copy what that has made."""

from typing import Any

import psycopg
from django.conf import settings
from django.db import connections


class Templates:
    """What the processes of a run copy. `begin` comes before a process makes its databases, `end` after that."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._names = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
        parameters = connections["default"].get_connection_params() | {"dbname": "postgres"}
        known = {name: parameters[name] for name in ("host", "port", "user", "password") if parameters.get(name)}
        self._server = psycopg.connect(**known, dbname="postgres", autocommit=True)

    def begin(self) -> None:
        """Let databases be copied where they are made already; else nobody else begins before this process ends it."""
        self._server.execute("SELECT pg_advisory_lock(hashtext(%s))", [self._run])  # until the end of the connection
        if self._are_made():
            for alias in connections:
                connections[alias].settings_dict["TEST"] |= {"TEMPLATE": self._name(alias), "MIGRATE": False}
            self._server.close()

    def end(self) -> None:
        """Keep what was made for the others, unless it was copied."""
        if self._server.closed:
            return
        for alias, before in self._names.items():
            name = connections[alias].settings_dict["NAME"]
            if name != before:  # it is a test's now: tests of this run need it
                connections[alias].close()  # nobody may be in what is copied
                self._server.execute(f'CREATE DATABASE "{self._name(alias)}" TEMPLATE "{name}"')
        self._server.execute(f'CREATE DATABASE "{self._run}"')  # says that all of them are made
        self._server.close()

    def _are_made(self) -> Any:
        return self._server.execute("SELECT FROM pg_database WHERE datname = %s", [self._run]).fetchone()

    def _name(self, alias: str) -> str:
        return f"{self._run}_{alias}"


def has_its_own_server() -> bool:
    """Tell whether the databases are on a server of this run, which is removed at its end."""
    return settings.DATABASES["default"].get("EMBEDDED") is not None
