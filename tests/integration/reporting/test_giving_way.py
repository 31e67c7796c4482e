"""Readers of logs let go first who decides about orders, and not only between two pieces."""

import psycopg
import pytest

from apps.reporting.books import portions
from apps.reporting.books.keeping import BooksKeeper
from apps.reporting.database import ALIAS
from apps.reporting.following import Follower
from apps.reporting.projecting import Projector
from tests.integration.reporting.test_read_models import trade_at_random

pytestmark = pytest.mark.django_db(transaction=True, databases=[ALIAS])


class Ways:
    given = 0

    def give(self):
        self.given += 1


@pytest.fixture
def ways():
    return Ways()


def test_read_models_give_way_before_every_statement(desk, ways, monkeypatch):
    trade_at_random(desk, 5, rounds=10)
    follower = Follower(desk.logs, Projector(), ways.give)
    follower.step()  # which makes partitions and reads marks
    trade_at_random(desk, 6, rounds=2)
    given, seen = ways.given, []
    for name in ("execute", "copy"):
        whole = getattr(psycopg.Cursor, name)

        def watched(cursor, statement, *rest, whole=whole, **options):
            seen.append(ways.given)
            return whole(cursor, statement, *rest, **options)

        monkeypatch.setattr(psycopg.Cursor, name, watched)
    follower.step()
    monkeypatch.undo()
    follower.close()
    assert len(seen) > 10
    assert seen[0] > given
    assert len(set(seen)) == len(seen), "two statements without giving way between them"


def test_books_give_way_every_few_files(desk, ways, tmp_path, monkeypatch):
    monkeypatch.setattr(portions, "_FILES_AT_A_TIME", 2)
    trade_at_random(desk, 5, rounds=10)
    keeper = BooksKeeper(tmp_path / "clients", "b1", give_way=ways.give)
    follower = Follower([desk.execution], keeper)
    follower.step()
    follower.close()
    files = len(list((tmp_path / "clients").rglob("*.csv")))
    records = sum(map(len, desk.execution.kept.values()))
    assert files == 8
    assert ways.given >= files / 2 + records
