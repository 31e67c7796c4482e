"""What the worker of live feeds asks of its database and writes there: plain SQL, through one connection."""

import json
import logging
from collections.abc import Mapping, Sequence

import msgspec
from psycopg.types.json import set_json_loads

from apps.feeds.core import FEEDS
from apps.feeds.defined import FeedDefinition
from apps.feeds.running import RunningFeed
from banyan.clock import Clock
from banyan.host.memory import state_at
from banyan.store import Store
from banyan.transport import Command, ask

_LOGGER = logging.getLogger(__name__)


class StoredDirectory:
    """The feeds in the database of the context `feeds`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._store = Store(FEEDS.name)
        self._unreadable: set[str] = set()

    def wanted(self) -> Sequence[FeedDefinition]:
        """Return the feeds that are to run; one whose definition cannot be read is logged once, and left out."""
        connection = self._store.connection
        set_json_loads(json.loads, connection)
        found = []
        for feed, definition in connection.execute(
            "SELECT id, definition FROM feeds_feed WHERE is_running ORDER BY id"
        ):
            try:
                found.append(msgspec.convert(definition, FeedDefinition))
            except msgspec.ValidationError as problem:
                if feed not in self._unreadable:
                    self._unreadable.add(feed)
                    _LOGGER.error("feed %s cannot be read, define it again with `feeds add`: %s", feed, problem)  # noqa: TRY400
        return found

    def known(self, feed: str) -> Mapping[tuple[str, int], int]:
        """Return up to which close time (ns UTC) a feed has bars of each (instrument, interval)."""
        row = self._store.connection.execute("SELECT number FROM banyan_key WHERE key = %s", [feed]).fetchone()
        if row is None:
            return {}
        state, _ = state_at(FEEDS, self._store, feed, row[0])
        return state.closed_at_ns

    def tell(self, commands: Sequence[Command]) -> None:
        """Send commands to feeds; what was sent before is not sent again."""
        ask(self._store, commands, self._clock.wall_ns())

    def report(self, feeds: Sequence[RunningFeed]) -> None:
        """Write down how the feeds are."""
        if not feeds:
            return
        rows = [
            (
                each.name, each.state, each.problem[:2_000], bool(each.is_silent), each.last_record_ns / 1e9,
                each.opened, each.counts.records, each.counts.bars, each.counts.revisions, each.counts.late,
                each.counts.quarantined,
            )
            for each in feeds
        ]  # fmt: skip
        self._store.connection.execute(
            "INSERT INTO feeds_feedreport (feed_id, reported_at, state, problem, is_stale, last_record_at, opened, "
            "records, bars, revisions, late, quarantined) "
            "SELECT r.feed, now(), r.state, r.problem, r.stale, to_timestamp(NULLIF(r.last, 0)), r.opened, r.records, "
            "r.bars, r.revisions, r.late, r.quarantined FROM unnest(%s::text[], %s::text[], %s::text[], %s::bool[], "
            "%s::float8[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) "
            "AS r(feed, state, problem, stale, last, opened, records, bars, revisions, late, quarantined) "
            "ON CONFLICT (feed_id) DO UPDATE SET reported_at = EXCLUDED.reported_at, state = EXCLUDED.state, "
            "problem = EXCLUDED.problem, is_stale = EXCLUDED.is_stale, last_record_at = EXCLUDED.last_record_at, "
            "opened = EXCLUDED.opened, records = EXCLUDED.records, bars = EXCLUDED.bars, "
            "revisions = EXCLUDED.revisions, late = EXCLUDED.late, quarantined = EXCLUDED.quarantined",
            [list(column) for column in zip(*rows, strict=True)],
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._store.close()
