"""The host of one context in one process: the single writer of the keys that it holds."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import psycopg

from banyan import crash
from banyan.clock import Clock
from banyan.codec import CodecError
from banyan.context import Context
from banyan.host.delivery import Delivery
from banyan.host.following import follow, is_record, next_inputs, next_records, plant_seeds, take_record
from banyan.host.inputs import timer_due, took_over
from banyan.host.memory import KeyMemory, NewerError, RebuildError, digest_of, rebuild, snapshot_of
from banyan.host.polling import Polling
from banyan.host.records import record_of, seed_of
from banyan.host.resting import Resting
from banyan.host.round import Round, Shown
from banyan.host.routes import Route
from banyan.host.settings import HostSettings
from banyan.host.turns import Turn
from banyan.messages import Message, TimerDue
from banyan.road import Road
from banyan.store import FETCH_MOST, KeyRow, NotFollowingError, Store

State = TypeVar("State")
Marks = Mapping[tuple[str, str], tuple[int, int]]
Wanted = Mapping[str, tuple[Marks, set[str] | None]]
"""What is to be read from outboxes: by key, its marks, and of which senders (None: of all; "": commands)."""
_LOGGER = logging.getLogger(__name__)
_SEEN_MOST = 10_000
_HELD_MOST = 256
_PILED_UP = 32


class BusyError(RuntimeError):
    """A host has as much waiting as it may hold: send again later."""


class Host(Generic[State]):
    """Applies messages to the keys of one context, in order, and commits what follows in one transaction.

    `offer` may be called by any thread, everything else by who has the `turn`. `hand_on` gets what was committed;
    `fetch` returns what outboxes hold for keys after their marks. The transport sets both. `is_gone` tells of an owner
    whether it has certainly ended, so that its keys are free before its leases run out. It says on the
    `road` when it works, and puts off what can wait while others there do.

    Keys that another side leads follow it: what its log shows is taken in, never handed on, and what would have been
    decided here goes to `compare`, what was decided to `heard`. `log` gets the records of keys that lead, before their
    events are handed on, and what `seed` asks for; None: nobody follows.
    """

    def __init__(
        self, context: Context[State], store: Store, routes: Sequence[Route], clock: Clock, *, owner: str,
        settings: HostSettings | None = None,
    ) -> None:  # fmt: skip
        self.context = context
        self.store = store
        self.owner = owner
        self.settings = settings or HostSettings()
        self.hand_on: Callable[[list[Delivery]], None] = lambda _: None
        self.fetch: Callable[[Wanted], dict[str, list[Delivery]]] = lambda _: {}
        self.look: Callable[[Wanted], None] = lambda _: None
        self.log: Callable[[list[Delivery]], None] | None = None
        self.compare: Callable[[list[Delivery]], None] = lambda _: None
        self.heard: Callable[[list[Shown]], None] = lambda _: None
        self.is_gone: Callable[[str], bool] = lambda _: False
        self.road = Road(clock.monotonic_ns)
        self.called = threading.Event()
        self.turn = Turn(self.called.set)
        self._arriving = threading.Lock()
        self._clock = clock
        self._routes: dict[type[Message], list[Route]] = {}
        for route in routes:
            self._routes.setdefault(route.message, []).append(route)
        self._offered: deque[Delivery] = deque()
        self._keys: dict[str, KeyMemory[State]] = {}
        self._wanted: frozenset[str] = frozenset()
        self._left_in_outboxes: set[str] = set()
        self._new: set[str] = set()
        self._woken: dict[str, set[str]] = {}
        self._strangers: set[str] = set()
        self._looked: set[str] = set()
        self._fresh: set[tuple[str, str]] = set()
        self._seeds: set[str] = set()
        self._tries: dict[str, int] = {}
        self._is_careful = False
        self._renewed_ns: int | None = None
        self._followed_ns = 0
        self._polling = Polling(int(self.settings.poll_seconds * 1e9))
        self._resting = Resting(context, int(self.settings.rest_seconds * 1e9))

    @property
    def keys(self) -> Mapping[str, KeyMemory[State]]:
        """The keys that this host holds."""
        return self._keys

    @property
    def wanted(self) -> Collection[str] | None:
        """The keys that this host is to hold, None before it knows."""
        return self._wanted if self._renewed_ns is not None else None

    def open(self, keys: Iterable[str]) -> None:
        """Want these keys, and no others: each is taken and rebuilt as soon as it is free."""
        self._wanted = frozenset(keys)
        self._strangers.clear()
        self._give_back(self._keys.keys() - self._wanted)
        self._keep_leases()

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Let messages wait for the next round.

        Where too many wait, one that an outbox keeps is left there for later; one that nobody keeps raises BusyError.
        """
        with self._arriving:
            for delivery in deliveries:
                if len(self._offered) < self.settings.waiting_max:
                    self._offered.append(delivery)
                elif delivery.envelope.number:
                    self._left_in_outboxes.add(delivery.envelope.key)
                else:
                    raise BusyError(f"{self.context.name}: {self.settings.waiting_max} messages wait already")
        self.turn.due()

    def seed(self, keys: Iterable[str]) -> None:
        """Give `log`, of those of the keys that lead here, all that it takes to follow them; for any thread."""
        with self._arriving:
            self._seeds.update(keys)
        self.turn.due()

    def look_for(self, woken: Iterable[tuple[str, str]]) -> None:
        """Read in the next round what waits elsewhere: (sender, key) of each, the sender of commands being ""."""
        with self._arriving:
            for sender, key in woken:
                self._woken.setdefault(key, set()).add(sender)
        self.turn.due()

    def step(self, *, may_rest: bool = True) -> bool:
        """Apply what waits and what is due, commit it and hand it on; tell whether anything was done.

        Raises psycopg.OperationalError while the database cannot be reached: nothing is lost, call again later.
        """
        self._keep_leases()
        self._sort_offered()
        self._plant()
        self._give_seeds()
        waiting = [memory for memory in self._keys.values() if memory.waiting]
        rest = self._resting.keys(waiting, self._clock, self.road.used_ns()) if may_rest else set()
        rest -= self._fetch(rest)
        if any(memory.is_leading and len(memory.waiting) >= _PILED_UP for memory in waiting if memory.key not in rest):
            self.road.jam()
        now_ns = self._clock.monotonic_ns()
        if may_rest and now_ns < self._follows_at_ns():
            rest |= {key for key, memory in self._keys.items() if not memory.is_leading}
        taken = {
            key: self._inputs(memory)
            for key, memory in self._keys.items()
            if (memory.waiting or memory.records or memory.timers) and not memory.parked_because and key not in rest
        }
        if not any(taken.values()):
            return self._keep_due_snapshot()
        self.road.use()
        if any(inputs and not self._keys[key].is_leading for key, inputs in taken.items()):
            self._followed_ns = now_ns
        try:
            self._round(taken)
        except psycopg.Error:
            self._forget(taken)
            self.store.close()
            raise
        self.road.use()
        return True

    def is_quiet(self) -> bool:
        """Tell whether nothing waits and no timer is due."""
        due_ns = self.next_due_ns()
        waits = any(
            memory.waiting if memory.is_leading else memory.records
            for memory in self._keys.values()
            if not memory.parked_because
        )
        return not (self._offered or waits or (due_ns is not None and due_ns <= self._clock.wall_ns()))

    def is_done(self) -> bool:
        """Tell whether nothing waits but what rests: another step can wait until something comes or is due."""
        waiting = [memory.key for memory in self._keys.values() if memory.waiting or memory.records]
        return not self.has_offers() and all(self._resting.has(key) for key in waiting)

    def has_offers(self) -> bool:
        """Tell whether a message waits for the next round."""
        return bool(self._offered or self._left_in_outboxes or self._woken or self._seeds)

    def waiting(self) -> int:
        """Return how many messages wait to be applied; may be called by any thread."""
        return len(self._offered) + sum(len(memory.waiting) for memory in list(self._keys.values()))

    def has_strangers(self) -> bool:
        """Tell whether something has come for a key that this host was not told to hold."""
        return bool(self._strangers)

    def idle_seconds(self) -> float:
        """Return after how long the next key is to be polled, has rested, or is to follow."""
        now_ns, ends_ns = self._clock.monotonic_ns(), self._resting.ends_ns(self.road.used_ns())
        dues_ns = [self._polling.next_ns(self.road.used_ns())] + ([] if ends_ns is None else [ends_ns])
        if any(memory.records and not memory.is_leading for memory in self._keys.values()):
            dues_ns.append(self._follows_at_ns())
        return max(0.0, min([self.settings.poll_seconds, *((due_ns - now_ns) / 1e9 for due_ns in dues_ns)]))

    def _follows_at_ns(self) -> int:
        """Return from when on keys that follow take in more, by the monotonic clock."""
        return self._followed_ns + int(self.settings.follow_seconds * 1e9)

    def next_due_ns(self) -> int | None:
        """Return when the next timer is due, in ns since 1970 UTC."""
        leading = [memory for memory in self._keys.values() if memory.is_leading]
        return min((due for memory in leading for due in memory.timers.values()), default=None)

    def close(self) -> None:
        """Apply what waits, keep a snapshot of every key, and give the keys back."""
        while self.step(may_rest=False):
            pass
        self._give_back(set(self._keys))
        self.store.close()

    def _give_back(self, keys: Collection[str]) -> None:
        for memory in map(self._keys.__getitem__, keys):
            self._keep_snapshot(memory)
        if keys:
            self.store.release({key: self._keys.pop(key).epoch for key in keys})

    def _keep_leases(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if self._renewed_ns is not None and now_ns - self._renewed_ns < self.store.lease_seconds * 1e9 / 3:
            if self._wanted <= self._keys.keys():
                return
        elif self._keys:
            held = self.store.renew({key: memory.epoch for key, memory in self._keys.items()})
            for key in self._keys.keys() - held.keys():
                self._lose(key)
            for key in [key for key, because in held.items() if because != self._keys[key].parked_because]:
                del self._keys[key]  # a person has let it go on
        self._renewed_ns = now_ns
        missing = sorted(self._wanted - self._keys.keys())
        if not missing:
            return
        for owner in self.store.owners(missing):
            if self.is_gone(owner):
                self.store.free(owner)
        for key, row in self.store.take(missing, self.owner).items():
            try:
                self._keys[key] = rebuild(self.context, self.store, row)
                self._left_in_outboxes.add(key)
                self._new.add(key)
            except RebuildError as problem:
                self._set_aside(row, problem)

    def _set_aside(self, row: KeyRow, problem: RebuildError) -> None:
        """Let a key rest whose log is damaged, leave to others what a newer version knows, and let the rest go on."""
        self._wanted -= {row.key}
        if isinstance(problem, NewerError):
            _LOGGER.warning("a key is left to others: %s", problem)
            self.store.release({row.key: row.epoch})
        elif str(problem) != row.parked_because:
            _LOGGER.error("nothing is done for a key until it is repaired: %s", problem)
            self.store.park(row.key, str(problem), "")

    def _lose(self, key: str) -> None:
        _LOGGER.warning("%s/%s: another owner has taken the key", self.context.name, key)
        del self._keys[key]

    def _sort_offered(self) -> None:
        with self._arriving:
            offered, self._offered = self._offered, deque()
        for delivery in offered:
            key, is_kept = delivery.envelope.key, delivery.envelope.number > 0
            memory = self._keys.get(key)
            if memory is not None and is_record(self.context, delivery):
                take_record(memory, delivery, self.settings.waiting_max)
            elif memory is not None and is_kept and len(memory.waiting) >= self._room(memory):
                self._left_in_outboxes.add(key)
            elif memory is not None and (is_kept or memory.is_leading):
                memory.waiting.append(delivery)  # of what has no number each side keeps what it is asked
            elif key in self._wanted and not is_kept:
                self._offered.append(delivery)

    def _room(self, memory: KeyMemory[State]) -> int:
        """Return how many inputs may wait: of a key that follows few, since its leader applies them, and keeps them."""
        return self.settings.waiting_max if memory.is_leading else min(_HELD_MOST, self.settings.waiting_max)

    def _fetch(self, rest: set[str]) -> set[str]:
        """Read what was left elsewhere for keys that have nothing to apply now; return those that got something."""
        self._left_in_outboxes.update(self._polling.due(self._keys, self._clock.monotonic_ns(), self.road.used_ns()))
        with self._arriving:
            of_all, self._left_in_outboxes = self._left_in_outboxes, set()
            of_some, self._woken = self._woken, {}
        wanted = of_all | of_some.keys()
        self._strangers = wanted - self._wanted
        self._looked = of_all & self._keys.keys()
        self._fresh = set()
        if not wanted:
            return set()
        held = wanted & self._keys.keys()
        following = {key for key in held if not self._keys[key].is_leading}
        self.look({key: (self._keys[key].marks, None) for key in held})
        held -= following
        # Of a key that is new here what was sent before comes first: commands too, whatever has been offered since.
        new, self._new = self._new & held, self._new - held
        idle = sorted(key for key in held if key in rest or key in new or not self._keys[key].waiting)
        asked = {key: (self._keys[key].marks, None if key in of_all else of_some[key]) for key in idle}
        found = self.fetch(asked) if asked else {}
        for key, deliveries in found.items():
            waiting = self._keys[key].waiting
            (waiting.extendleft if key in new else waiting.extend)(reversed(deliveries) if key in new else deliveries)
            self._fresh.update((key, each.envelope.id) for each in deliveries if not each.envelope.number)
        # There may be more than was read: look again once these are applied.
        self._left_in_outboxes |= held.difference(idle)
        self._left_in_outboxes |= {key for key, deliveries in found.items() if len(deliveries) >= FETCH_MOST}
        return {key for key, deliveries in found.items() if deliveries}

    def _inputs(self, memory: KeyMemory[State]) -> list[Delivery]:
        most = 1 if self._is_careful else self.settings.inputs_per_round_max
        if not memory.is_leading:
            return next_records(memory, most)
        now_ns = self._clock.wall_ns()
        due = sorted((due_ns, name) for name, due_ns in memory.timers.items() if due_ns <= now_ns)
        inputs = [timer_due(self.context.name, memory.key, name, due_ns) for due_ns, name in due]
        return inputs + next_inputs(memory, most - len(inputs))

    def _round(self, taken: dict[str, list[Delivery]]) -> None:
        unknown = [
            (key, each.envelope.id) for key, inputs in taken.items() for each in inputs
            if not each.envelope.number and each.envelope.name != TimerDue.wire_name
        ]  # fmt: skip
        unknown = [each for each in unknown if each not in self._fresh]
        seen = self.store.seen(unknown) if unknown else set()
        current = Round(
            self.context,
            self._routes,
            self._clock.wall_ns(),
            seen,
            always_decode=self.settings.always_decode,
            side=self.settings.side,
            compare_percent=self.settings.compare_percent,
        )
        is_whole = self._apply(current, taken)
        # Where a gap is there right after a look, what is missing has not been committed yet: the next poll finds it.
        self._left_in_outboxes |= current.gaps - self._looked
        if is_whole and current.batch.keys:
            self._commit(current)

    def _apply(self, current: Round[State], taken: dict[str, list[Delivery]]) -> bool:
        """Apply inputs in memory; where one fails, throw that memory away and tell that nothing may be committed."""
        for key, inputs in taken.items():
            memory = self._keys[key]
            for delivery in inputs:
                try:
                    if not memory.is_leading:
                        follow(current, memory, delivery)
                    elif self._tries.get(delivery.envelope.id, 0) >= self.settings.tries_max:
                        current.park(memory, delivery, f"failed {self.settings.tries_max} times, see the log of errors")
                    else:
                        current.apply(memory, delivery)
                except CodecError as problem:
                    if memory.parked_id == delivery.envelope.id:
                        current.park(memory, delivery, str(problem))
                        continue
                    self._stop(key, delivery, str(problem))
                except psycopg.OperationalError:
                    raise  # a route could not ask its database: the input is not to blame, and comes again
                except Exception as problem:
                    if not memory.is_leading:
                        self._stop(key, delivery, f"cannot be followed: {type(problem).__name__}: {problem}")
                        self._forget(taken)
                        return False
                    tries = self._tries[delivery.envelope.id] = self._tries.get(delivery.envelope.id, 0) + 1
                    _LOGGER.exception(
                        "%s/%s: %s %s failed (try %d)",
                        self.context.name, key, delivery.envelope.name, delivery.envelope.id, tries,
                    )  # fmt: skip
                else:
                    continue
                self._is_careful = True
                self._forget(taken)
                return False
        return True

    def _stop(self, key: str, delivery: Delivery, reason: str) -> None:
        """Stop a key at an input that cannot be decoded: what comes after may depend on it."""
        text = f"{delivery.envelope.name} {delivery.envelope.id}: {reason}"
        _LOGGER.error("%s/%s stops: %s", self.context.name, key, text)
        self.store.park(key, text, delivery.envelope.id)
        self._keys[key].parked_because = text

    def _commit(self, current: Round[State]) -> None:
        crash.point(f"{self.context.name}.before-commit")
        moved = self.store.commit(current.batch)
        crash.point(f"{self.context.name}.after-commit")
        for key in current.batch.keys.keys() - moved:
            self._lose(key)
        self._is_careful = False
        self._tries.clear()
        self.hand_on([each for each in current.outgoing if each.envelope.sender_key in moved])
        if self.log is not None:
            self._log(current, moved)
        for key in moved:
            memory = self._keys[key]
            if memory.number - memory.snapshot_number >= 2 * self.settings.snapshot_every:
                self._keep_snapshot(memory)
        self._change_leaders(current, moved)
        if current.followed:
            self.compare([each for each in current.followed if each.envelope.key in moved])
            self.heard([each for each in current.shown if each.envelope.key in moved])

    def _change_leaders(self, current: Round[State], moved: set[str]) -> None:
        """Lead no longer what was handed over, and lead what was given to this side."""
        for key in current.ended & moved:
            self._keys[key].handed_over_ns = self._clock.monotonic_ns()
            self._keys[key].is_leading = False
            _LOGGER.info("%s/%s is led by the other side after %d", self.context.name, key, self._keys[key].number)
        for key in current.given.keys() & moved:
            memory = self._keys[key]
            epoch = self.store.lead(self.context.name, key, memory.epoch, current.given[key])
            if epoch is None:
                self._lose(key)
                continue
            memory.epoch, memory.is_leading, memory.handed_over_ns = epoch, True, None
            memory.records.clear()
            memory.waiting.appendleft(took_over(self.context.name, key, epoch, self.settings.side))
            self._left_in_outboxes.add(key)
            _LOGGER.info("%s/%s is led here after %d", self.context.name, key, memory.number)

    def _log(self, current: Round[State], moved: set[str]) -> None:
        """Give whoever follows what was committed of keys that lead, here and there with a digest of the state."""
        assert self.log is not None
        now_ns = self._clock.wall_ns()
        last = {key: numbers[2] for key, numbers in current.batch.keys.items()}
        records = []
        for step in current.batch.steps:
            memory = self._keys.get(step.key)
            if memory is None or step.key not in moved or not memory.is_leading:
                continue
            digest, version = "", 0
            if step.number == last[step.key] and step.number - memory.digested >= self.settings.digest_every:
                digest, version = digest_of(self.context.to_snapshot(memory.state)), self.context.snapshot_version
                memory.digested = step.number
            records.append(record_of(self.context.name, step, now_ns, digest, version))
        self.log(records)

    def _give_seeds(self) -> None:
        with self._arriving:
            wanted, self._seeds = self._seeds, set()
        for key in wanted & self._keys.keys():
            memory = self._keys[key]
            if self.log is not None and memory.is_leading:
                self.log([seed_of(self.context, memory, self.store.last_seen(key, _SEEN_MOST), self._clock.wall_ns())])

    def _plant(self) -> None:
        for key, memory in list(self._keys.items()):
            if memory.records and not memory.is_leading:
                try:
                    self.compare(plant_seeds(self.context, self.store, memory, self._clock.wall_ns()))
                except (CodecError, NotFollowingError) as problem:
                    _LOGGER.warning("%s/%s: %s", self.context.name, key, problem)

    def _forget(self, taken: dict[str, list[Delivery]]) -> None:
        """Throw away the memory of keys with uncommitted inputs; they are rebuilt, and the inputs wait again."""
        again: list[Delivery] = []
        for key, inputs in taken.items():
            if inputs and key in self._keys:
                again += [each for each in inputs if each.envelope.name != TimerDue.wire_name]
                again += self._keys.pop(key).waiting
        with self._arriving:
            self._offered.extendleft(reversed(again))

    def _keep_due_snapshot(self) -> bool:
        """Keep the snapshot of one key that is due, where nothing was done for a while; tell whether there was one."""
        if self._clock.monotonic_ns() - self.road.used_ns() < self.settings.snapshot_quiet_seconds * 1e9:
            return False
        for memory in self._keys.values():
            if memory.number - memory.snapshot_number >= self.settings.snapshot_every:
                self._keep_snapshot(memory)
                self.road.use()  # keys come to theirs together: the next one after a pause
                return True
        return False

    def _keep_snapshot(self, memory: KeyMemory[State]) -> None:
        if memory.number > memory.snapshot_number:
            self.store.keep_snapshot(memory.key, snapshot_of(self.context, memory))
            memory.snapshot_number = memory.number
