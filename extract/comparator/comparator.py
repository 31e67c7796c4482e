"""Compares what followers of one context tell with what its leaders have decided, in bounded memory."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from banyan.codec import CodecError, Envelope, decode_envelope, decode_message
from banyan.facade.models import Mismatch
from banyan.host.delivery import split_events
from banyan.messages import Compared, Message, Seeded
from banyan.store import Step, Store
from extract.comparator.durations import class_of
from extract.comparator.ledger import Counts, Reached
from extract.comparator.rows import NOBODY, Allowance, Difference, Outcome, compare
from extract.comparator.shapes import Shape

LATE_NS = 2_000_000_000
"""How far a follower may be behind before what it tells is counted as late."""
KEPT_IN_A_MINUTE_MOST = 200
"""So many differing rows of a key are kept in a minute; all are counted."""
_EVENTS_BYTES_MOST = 256_000
SOURCE = "source"
"""What a mismatch has for its input where the follower's own source differs from its leader's."""


class Comparator:
    """Counts and keeps differences until they are taken.

    `find` returns a record of a leader's log, or None. Events of the names in `only` are compared, or all.
    """

    def __init__(
        self, context: str, shape: Shape, find: Callable[[str, int], Step | None], allowed: Sequence[Allowance] = (),
        *, only: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._only = frozenset(only)
        self.context = context
        self.allowed = allowed
        self._shape = shape
        self._find = find
        self.counts: dict[tuple[str, int], Counts] = defaultdict(Counts)
        self.reached: dict[str, Reached] = {}
        self.found: list[Mismatch] = []
        self._kept: dict[tuple[str, int], int] = defaultdict(int)

    def take(self, envelope: Envelope, body: bytes) -> None:
        """Take in what a follower tells of a record. Raises CodecError where it cannot be read."""
        told = decode_message(envelope.name, body)
        if not isinstance(told, Compared):
            raise CodecError(f"{envelope.name} is nothing that a follower tells")
        minute = told.committed_at_ns // 60_000_000_000
        counts = self.counts[envelope.key, minute]
        if not told.source:
            self._note_progress(envelope, told, counts)
        if not told.is_compared:
            return
        if told.same:
            counts.same += 1
            return
        counts.differing += 1
        try:
            self._take_differing(envelope, told, counts, minute)
        except (LookupError, ValueError, TypeError, OverflowError) as problem:
            self._take_problem(envelope, told, counts, minute, f"cannot be read: {problem}")

    def _note_progress(self, envelope: Envelope, told: Compared, counts: Counts) -> None:
        """Note how far a follower is, how late, and what its digest says."""
        lag_ns = max(0, told.followed_at_ns - told.committed_at_ns)
        counts.lag_ns_max = max(counts.lag_ns_max, lag_ns)
        counts.late += lag_ns > LATE_NS
        before = self.reached.get(envelope.key)
        there = self.reached[envelope.key] = Reached(envelope.number, told.followed_at_ns)
        if told.digest:
            there.digest, there.digest_number = told.digest, envelope.number
            counts.digests_same += told.digest == "same"
            counts.digests_differing += told.digest == "differs"
        elif before is not None:
            there.digest, there.digest_number = before.digest, before.digest_number
        if told.is_compared and told.input != Seeded.wire_name:  # nobody has decided about a seed
            leader_ns, follower_ns = max(0, told.committed_at_ns - told.received_at_ns), told.decided_ns
            counts.leader_ns += leader_ns
            counts.follower_ns += follower_ns
            counts.leader_took[class_of(leader_ns)] += 1
            counts.follower_took[class_of(follower_ns)] += 1

    def taken(self) -> tuple[dict[tuple[str, int], Counts], dict[str, Reached], list[Mismatch]]:
        """Return what has been counted and found since this was called last, and forget it."""
        taken = dict(self.counts), self.reached, self.found
        self.counts, self.reached, self.found = defaultdict(Counts), {}, []
        self._kept = defaultdict(int, {place: kept for place, kept in self._kept.items() if place in taken[0]})
        return taken

    def _take_differing(self, envelope: Envelope, told: Compared, counts: Counts, minute: int) -> None:
        if told.problem:
            self._take_problem(envelope, told, counts, minute, told.problem)
            return
        step = self._find(envelope.key, envelope.number)
        if step is None:
            return  # it was decided before the log began that is here: it is counted, and cannot be looked into
        only = self._shape.of_sources if told.source else self._only
        outcome = outcome_of(step, split_events(bytes(told.events)), self._shape, self.allowed, only)
        if not outcome.differences:
            counts.differing -= 1
            counts.same += 1
        counts.matched += outcome.matched
        counts.ignored += sum(outcome.ignored.values())
        counts.mismatched += outcome.count("mismatched")
        counts.missing += outcome.count("missing")
        counts.extra += outcome.count("extra")
        self._keep(envelope, told, minute, outcome.differences)

    def _take_problem(self, envelope: Envelope, told: Compared, counts: Counts, minute: int, problem: str) -> None:
        counts.problems += 1
        difference = Difference("problem", "", NOBODY, "", {"problem": [None, problem]})
        self._keep(envelope, told, minute, [difference], events=[])

    def _keep(
        self, envelope: Envelope, told: Compared, minute: int, differences: Sequence[Difference],
        events: Any = None,
    ) -> None:  # fmt: skip
        place = envelope.key, minute
        room = KEPT_IN_A_MINUTE_MOST - self._kept[place]
        self._kept[place] += len(differences)
        if events is None:
            events = msgspec.json.decode(bytes(told.events)) if len(bytes(told.events)) <= _EVENTS_BYTES_MOST else []
        for each in differences[: max(0, room)]:
            self.found.append(_mismatch(self.context, envelope, told, each, events))


def outcome_of(
    step: Step, followers: Sequence[tuple[str, bytes]], shape: Shape, allowed: Sequence[Allowance],
    only: Collection[str] = (),
) -> Outcome:  # fmt: skip
    """Return what comes of comparing events with those of a record: of the names in `only`, or all."""
    ours, theirs = (
        [event for event in events if not only or event[0] in only] for events in (split_events(step.events), followers)
    )
    return compare(ours, theirs, shape, allowed, input_of(step))


def input_of(step: Step) -> Message | None:
    """Return the input of a record, None where it cannot be read."""
    try:
        return decode_message(decode_envelope(step.header).name, step.body)
    except CodecError:
        return None


def _mismatch(context: str, envelope: Envelope, told: Compared, found: Difference, events: Any) -> Mismatch:
    return Mismatch(
        context=context,
        key=envelope.key,
        number=envelope.number,
        cause=told.cause,
        input=SOURCE if told.source else told.input,
        at=datetime.fromtimestamp(told.committed_at_ns / 1e9, UTC),
        kind=found.kind,
        event=found.event,
        account=found.account,
        instrument=found.instrument,
        fields=found.fields,
        lots=found.lots,
        money=found.money,
        events=events,
    )


def record(store: Store, key: str, number: int) -> Step | None:
    """Return a record of a log, None where it is not there."""
    return next(iter(store.steps(key, number - 1, number)), None)
