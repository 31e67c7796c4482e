"""Keys of everybody who may call, and a small history of trading of two clients."""

from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import pytest
from django.db import connections
from django.test import Client

from apps.api.keys import Wanted, make
from tests.integration.console.conftest import ALL, commands_of_this_test
from tests.integration.console.test_overview import read
from tests.integration.reporting.recorded import RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random

__all__ = ["ALL", "commands_of_this_test"]

CALLERS = {
    "client one": Wanted("one", ("read", "trade"), "one"),
    "client two": Wanted("two", ("read",), "two"),
    "viewer": Wanted("viewer", ("read",)),
    "quant": Wanted("quant", ("read", "research")),
    "operator": Wanted("operator", ("read", "trade", "operate")),
    "platform": Wanted("platform", ("read", "extract")),
}
_TABLES = (
    "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE tablename LIKE 'reporting\\_%' "
    "AND schemaname = 'public'"
)


@dataclass
class Caller:
    """Somebody with a key, or ("") without one."""

    key: str
    client: Client

    def get(self, path: str, **headers: str) -> Any:
        """Call; `status`, `headers` and `body` are the answer's."""
        if self.key:
            headers = {"Authorization": f"Bearer {self.key}", **headers}
        return self.client.get(f"/api/v1/{path}", headers=headers)

    def rows(self, path: str) -> list[dict[str, Any]]:
        """Return the rows of all pages."""
        found, cursor = [], ""
        join = "&" if "?" in path else "?"
        while True:
            response = self.get(f"{path}{join}cursor={cursor}" if cursor else path)
            assert response.status_code == 200, response.content
            body = orjson.loads(response.content)
            found += body["data"]
            cursor = body["next"]
            if not cursor:
                return found


@pytest.fixture
def callers(db) -> dict[str, Caller]:
    made = {name: Caller(make(wanted)[1], Client()) for name, wanted in CALLERS.items()}
    return {"nobody": Caller("", Client()), **made}


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of databases from now on, statement by statement, without what it is asked about."""
    found: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(cursor, query, *given, **options):
        found.append(str(query))
        return execute(cursor, query, *given, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return found


@pytest.fixture(autouse=True)
def nobody_works_on_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no worker beside the tests, whatever is asked for."""
    monkeypatch.setattr("apps.backtest.jobs.calling.call", lambda: None)
    monkeypatch.setattr("apps.backtest.jobs.calling.tend", lambda: None)


@pytest.fixture(scope="module")
def traded(django_db_setup, django_db_blocker) -> RecordedDesk:
    """What was traded, once for all tests of a module."""
    desk = RecordedDesk()
    with django_db_blocker.unblock():
        trade_at_random(desk, 11, rounds=14)
        read(desk)
        yield desk
        with connections["reporting"].cursor() as cursor:
            cursor.execute(_TABLES)
            (tables,) = cursor.fetchone()
            cursor.execute(f"TRUNCATE {tables}")
