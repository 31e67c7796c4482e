"""The read models as a reader of logs."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import connections

from apps.reporting.database import ALIAS
from apps.reporting.folding import SOURCES, fold
from apps.reporting.following import Follower, Read, Taker
from apps.reporting.marks import MarkMove
from apps.reporting.models import FeedEvent, Fill, OrderChange, Quote, Refusal, Signal, Skip
from apps.reporting.news import News
from apps.reporting.sources import Log, LogError, Source, check_whole
from apps.reporting.writing import Writer
from banyan.timescale import ensure_partitions

READER = "reporting"
PARTITIONED = (FeedEvent, Fill, OrderChange, Quote, Signal, Skip, Refusal)
TABLES = (
    "account", "instrument", "order", "fill", "position", "day", "price", "quote", "signal", "skip", "setting", "cash",
    "refusal", "unmet", "tradingstate", "orderchange", "feedevent",
)  # fmt: skip
_AHEAD = timedelta(days=28)

Sources = Callable[[], Sequence[Source]]


class Projector(Taker):
    """Writes what records tell into the read models, together with the marks."""

    reader = READER

    def __init__(self) -> None:
        self._writer = Writer(READER)
        self._ahead: datetime | None = None

    def begin(self, connection: "psycopg.Connection[Any]") -> None:
        """Make the partitions of the coming weeks."""
        self._make_partitions()

    def end(self, connection: "psycopg.Connection[Any]") -> None:
        """Leave everything as it is: it is committed."""

    def take(self, connection: "psycopg.Connection[Any]", read: Read, marks: Sequence[MarkMove]) -> None:
        """Write what records tell, and move the marks, in one transaction."""
        self._make_partitions()
        news = News()
        for source, step in read:
            fold(news, source, step)
        self._writer.write(connection, news, marks)

    def forget(self) -> None:
        """Know nothing any more."""
        self._writer.forget()

    def _make_partitions(self) -> None:
        now = datetime.now(UTC)
        if self._ahead is None or now > self._ahead:
            make_ahead(now)
            self._ahead = now + timedelta(days=1)


def make_ahead(now: datetime) -> None:
    """Make the partitions that rows of the next weeks will belong to."""
    first_ns, last_ns = (int(moment.timestamp() * 1e9) for moment in (now, now + _AHEAD))
    for model in PARTITIONED:
        ensure_partitions(connections[ALIAS], model, first_ns, last_ns)


def logs(*more: Source) -> list[Source]:
    """Return the sources of the read models: the contexts' logs, and what else is given."""
    given = {source.name for source in more}
    return [*(Log(name) for name in SOURCES if name not in given), *more]


def rebuild(sources: Sequence[Source], tell: Callable[[int], None]) -> int:
    """Empty the read models and build them from the logs; return how many records they were built from.

    `tell` is called with the records read so far. Raises LogError where a log has lost its beginning: then nothing is
    emptied.
    """
    check_whole(sources)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(f'reporting_{name}' for name in TABLES)}")
        cursor.execute("DELETE FROM reporting_mark WHERE reader = %s", [READER])
    counted = _Counted(tell)
    follower = Follower(sources, counted)
    while follower.step():
        pass
    follower.close()
    if follower.damaged:
        raise LogError("; ".join(follower.damaged.values()))
    return counted.records


class _Counted(Projector):
    """A projector that tells how many records it has taken."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._tell = tell
        self.records = 0

    def take(self, connection: "psycopg.Connection[Any]", read: Read, marks: Sequence[MarkMove]) -> None:
        super().take(connection, read, marks)
        self.records += len(read)
        self._tell(self.records)
