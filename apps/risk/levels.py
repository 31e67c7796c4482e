"""The limits of all levels, as they are now, without what orders, fills and valuations have led to."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
from django.conf import settings

from apps.risk.contracts import AllowInstruments, Limits, SetLimits, SetSessions
from apps.risk.core import RISK
from apps.risk.in_force import lot_step_e9
from apps.risk.interface import LevelLimits
from apps.risk.reading import ALIAS, limits_of
from apps.risk.state import RiskState
from apps.risk.words import limits_in_words
from banyan.codec import decode_message
from banyan.host.delivery import split_events
from banyan.models import Key
from banyan.shards import shard_keys
from banyan.store import Store

_ASKED_BY_PEOPLE = tuple(each.wire_name for each in (SetLimits, AllowInstruments, SetSessions))


class NumberedLimits(NamedTuple):
    """The limits of a level, of an account by its number (-1: any)."""

    account: int
    instrument: str
    limits: Limits


class _Known(NamedTuple):
    """What people have set in a shard, up to a number of its log in an epoch."""

    epoch: int
    number: int
    state: RiskState


class LimitsReader:
    """Follows what people have set in each shard: the newest snapshot, and from there on only the records of theirs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def levels(self) -> list[NumberedLimits]:
        """Return the limits of all levels that have any, once each: what is set for all accounts is in every shard."""
        shards = shard_keys(settings.SHARDS)
        with self._lock:
            self._catch_up(shards)
            found = {
                (each.account, each.instrument): each
                for shard in shards
                for each in levels_of(self._known[shard].state)
            }
        return list(found.values())

    def _catch_up(self, shards: Sequence[str]) -> None:
        rows = Key.objects.using(ALIAS).filter(key__in=shards).values_list("key", "epoch", "number")
        now = {key: (epoch, number) for key, epoch, number in rows}
        with closing(Store(ALIAS)) as store:
            for shard in shards:
                epoch, number = now.get(shard, (0, 0))
                known = self._known.get(shard)
                if known is None or known.epoch != epoch or known.number > number:
                    self._known[shard] = _begun(store, shard, epoch, number)
            after = {shard: self._known[shard].number for shard in shards}
            changed: dict[str, RiskState] = {shard: self._known[shard].state for shard in shards}
            for shard, events in store.events_asked_for(after, _ASKED_BY_PEOPLE):
                for name, body in split_events(events):
                    changed[shard] = RISK.evolve(changed[shard], decode_message(name, body))
        for shard in shards:
            epoch, number = now.get(shard, (0, 0))
            self._known[shard] = _Known(epoch, number, changed[shard])


def _begun(store: Store, shard: str, epoch: int, number: int) -> _Known:
    snapshot = store.newest_snapshot(shard, number, RISK.snapshot_version)
    if snapshot is None:
        return _Known(epoch, 0, RISK.new_state(shard))
    return _Known(epoch, snapshot.number, RISK.from_snapshot(shard, snapshot.version, snapshot.state))


def levels_of(state: RiskState) -> Iterator[NumberedLimits]:
    """Yield the limits of the levels of a shard that have any, the widest first."""
    accounts, cells = state.accounts.columns, state.cells.columns
    names = state.instrument_names.names
    places: list[tuple[int, str]] = [(-1, "")]
    places += [(-1, names[row]) for row in np.flatnonzero(state.instruments.columns["limits"] >= 0).tolist()]
    places += [(int(accounts["number"][row]), "") for row in np.flatnonzero(accounts["limits"] >= 0).tolist()]
    for row in np.flatnonzero(cells["limits"] >= 0).tolist():
        places.append((int(accounts["number"][cells["account"][row]]), names[cells["instrument"][row]]))
    for account, instrument in dict.fromkeys(places):
        limits = limits_of(state, account, instrument)
        if limits != Limits():
            yield NumberedLimits(account, instrument, limits)


def in_words(levels: Sequence[NumberedLimits]) -> list[LevelLimits]:
    """Return limits as people read them, the widest level first, then by number."""
    steps = {name: lot_step_e9(name) for name in dict.fromkeys(each.instrument for each in levels)}
    told = [
        LevelLimits(each.account, each.instrument, limits_in_words(each.limits, steps[each.instrument]))
        for each in levels
    ]
    return sorted(told, key=lambda each: (each.account >= 0, bool(each.instrument), each.account, each.instrument))


READER = LimitsReader()
