"""What can be listened to: families of rows, how they are found in the order in which they came, and told."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rest_framework import serializers

from apps.api import asking
from apps.api.asking import Parameter
from apps.api.resources.jobs import JobRow
from apps.api.resources.signalled import SignalRow
from apps.api.resources.trading import FillRow, OrderRow, PositionRow, RefusalRow
from apps.api.rows import Row, Time
from apps.api.system_state import SystemRow, system_marks, system_onward
from apps.backtest import interface as backtest
from apps.reporting import interface as reporting
from apps.reporting.interface import Place

_SINCE = asking.moment("since", "From this time on; the header Last-Event-ID goes before it.")
_SET = asking.text("set", "Only of this strategy set, or of the book manual or external.")
_INSTRUMENT = asking.text("instrument", "Only in this instrument.")
OF_ACCOUNTS = (
    asking.text("client", "Only of this client."), asking.text("account", "Only of this account."), _SET, _INSTRUMENT,
    _SINCE,
)  # fmt: skip
Places = Mapping[str, Place]


class FeedEventRow(Row):
    """What happened to a feed: `what` is stale, back, gap or quarantined."""

    at = Time(source="said_at_ns", allow_null=False)
    feed = serializers.CharField()
    what = serializers.CharField()
    instrument = serializers.CharField()
    detail = serializers.CharField()


class About(NamedTuple):
    """What a row is about; "" where it is of no account, or of no set."""

    account: str
    set: str
    instruments: Sequence[str]


_NOTHING = About("", "", ())


def _is_further(place: Place, other: Place | None) -> bool:
    """Return whether a place of a log is after another. A record alone stands for all of it; None is the beginning."""
    return other is None or (place[0], len(place) == 1, place[1:]) > (other[0], len(other) == 1, other[1:])


class Family(NamedTuple):
    """What can be listened to: how its rows are found, how they are told, and where and when each came.

    `marks` tells how far there is something now, `since` after which places what came at a time (ns) begins. Of rows
    that are the same thing, by `thing`, only the last of a piece is told; `about` says what a row is about, `is_later`
    whether a place is after another. One that `is_apart` is not told of by the
    pulse of the read models, and is looked for with every beat.
    """

    onward: Callable[[Any, Places, Places, int], Sequence[tuple[str, Place, Any]]]
    row: type[Row]
    kinds: tuple[type, ...]
    """Of what a place in a record consists."""
    marks: Callable[[], dict[str, Place]]
    since: Callable[[int], dict[str, Place]]
    told: Callable[[Sequence[Any]], Sequence[Any]] = list
    parameters: Sequence[Parameter] = OF_ACCOUNTS
    scope: str = "read"
    is_firm_only: bool = False
    is_apart: bool = False
    thing: Callable[[Any], object] | None = None
    about: Callable[[Any], About] = lambda row: About(row.account, row.set, (row.instrument,))
    is_later: Callable[[Place, Place | None], bool] = _is_further


def _log(table: str, time: str, source: str = "execution", key: str = "shard") -> dict[str, Any]:
    """Return marks and since of what is in a table of the read models, which logs of a source fill."""
    return {
        "marks": lambda: reporting.log_marks(source),
        "since": lambda since_ns: reporting.places_at(table, time, since_ns, key, source),
    }


_JOBS = "jobs"


def _jobs_onward(_: object, after: Places, upto: Places, most: int) -> list[tuple[str, Place, Any]]:
    low, high = (int(places.get(_JOBS, (0,))[0]) for places in (after, upto))
    return [(_JOBS, (job.number,), job) for job in backtest.jobs_changed(low, high, most)]


def _jobs_since(since_ns: int) -> dict[str, Place]:
    return {_JOBS: (backtest.jobs_number(datetime.fromtimestamp(since_ns / 1e9, UTC)),)}


FAMILIES: Mapping[str, Family] = {
    "orders": Family(
        reporting.orders_onward, OrderRow, (str, str, int), **_log("reporting_orderchange", "changed_at_ns"),
        told=reporting.with_reasons,
        thing=lambda row: (row.account, row.instrument, row.decision),
    ),
    "fills": Family(
        reporting.fills_onward, FillRow, (int,) * 3, **_log("reporting_fill", "filled_at_ns"),
        about=lambda row: About(row.account, row.book, (row.instrument,)),
    ),
    "positions": Family(
        reporting.positions_onward, PositionRow, (int,) * 3, **_log("reporting_fill", "filled_at_ns"),
        thing=lambda row: (row.account, row.set, row.instrument),
    ),
    "refusals": Family(
        reporting.refusals_onward, RefusalRow, (str, str, int), **_log("reporting_refusal", "refused_at_ns"),
        told=lambda rows: [row._asdict() | {"words": reporting.refusal_in_words(row)} for row in rows],
    ),
    "signals": Family(
        reporting.signals_onward, SignalRow, (int,), **_log("reporting_signal", "said_at_ns", "signals", "set"),
        parameters=(_SET, _INSTRUMENT, _SINCE), is_firm_only=True,
        about=lambda said: About("", said.set, [each.instrument for each in said.targets]),
    ),
    "feeds": Family(
        reporting.feed_events_onward, FeedEventRow, (int,),
        **_log("reporting_feedevent", "said_at_ns", "feeds", "feed"),
        parameters=(_INSTRUMENT, _SINCE), is_firm_only=True,
        about=lambda row: About("", "", (row.instrument,)),
    ),
    "jobs": Family(
        _jobs_onward, JobRow, (), lambda: {_JOBS: (backtest.jobs_number(),)}, _jobs_since, parameters=(_SINCE,),
        scope="research", is_firm_only=True, is_apart=True, thing=lambda row: row.id, about=lambda _: _NOTHING,
    ),
    "system": Family(
        system_onward, SystemRow, (), system_marks, lambda _: system_marks(), parameters=(), is_firm_only=True,
        is_apart=True, about=lambda _: _NOTHING, is_later=lambda place, other: place != other,
    ),
}  # fmt: skip
