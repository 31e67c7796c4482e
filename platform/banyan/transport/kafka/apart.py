"""What stands for hosts in processes of their own, so that one client of Kafka does for all of them."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg

from banyan.codec import CodecError, decode_message
from banyan.context import Context
from banyan.host import Delivery, HostSettings, Wanted
from banyan.store import Store
from banyan.transport import ChannelReader, Channels, Reported

_LOOK_SECONDS = 1.0


class _HeldApart(NamedTuple):
    """A key that a process of its own holds, as of a moment ago."""

    epoch: int
    number: int
    marks: Mapping[tuple[str, str], tuple[int, int]]
    parked_because: str
    is_leading: bool
    is_astray: bool = False
    handed_over_ns: int | None = None
    records: Sequence[Delivery] = ()


class Apart:
    """Stands for the hosts of `context`, at the other ends of `channels`, before what joins a host to Kafka.

    What is read for them is passed on through their channels. What a process applies it keeps with its place in Kafka,
    from which is read again when the process is another one; what does not get through a channel is missed, and asked
    of its sender. What they report is given to `log` and `compare`.

    `senders` are those that its keys hear. `listen` hears of what its keys have not applied, before it is passed on: a
    new leader sends the last of the old one again. `wanted` returns the keys that there are to be; `alias` is their
    database, if it is not that of the context. `workers` are to run in the process of the channels.
    """

    def __init__(
        self, context: Context[Any], senders: Sequence[str], channels: Channels, *,
        listen: Callable[[list[Delivery]], None] | None = None,
        wanted: Callable[[], Collection[str]] = frozenset, alias: str = "",
    ) -> None:  # fmt: skip
        self.name = f"{context.name}-apart"
        self.context = context
        self.store = Store(alias or context.name)
        self.settings = HostSettings()
        self.keys: Mapping[str, _HeldApart] = {}
        self.look: Callable[[Wanted], None] = lambda _: None
        self.compare: Callable[[list[Delivery]], None] = lambda _: None
        self.log: Callable[[list[Delivery]], None] | None = None
        self.missing: Collection[str] = ("any",)  # before it has looked
        self._senders = [*senders, context.name]
        self._asked = Store(self.store.alias)
        self._channels = channels
        self._listen = listen
        self._wanted = wanted
        self._owners: dict[str, str] = {}
        self._heard: dict[tuple[str, str, str], int] = {}
        self._astray: set[str] = set()
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self.workers: Sequence[Apart | ChannelReader] = [self, ChannelReader(channels, self._hear)]

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Pass on what was read; called by intakes."""
        found = [_decoded(each) for each in deliveries]
        new = [] if self._listen is None else self._not_applied(found)
        if new and self._listen is not None:
            self._listen(new)
        self._channels.offer(found)

    def seed(self, keys: Iterable[str]) -> None:
        """Have the processes of keys give all that it takes to follow them."""
        self._channels.seed(keys)

    def waiting(self) -> int:
        """Return 0: channels take what they have room for."""
        return 0

    def run(self, stop: threading.Event) -> None:
        """Look once a second, and when something has changed, which keys are held and how far they are."""
        while not stop.is_set():
            began = time.monotonic()
            self._woken.clear()
            try:
                self._look()
            except psycopg.OperationalError:
                self.store.close()
            else:
                self.look({key: (each.marks, None) for key, each in self.keys.items()})
            self._woken.wait(max(0.0, _LOOK_SECONDS - (time.monotonic() - began)))
        self.store.close()
        self._asked.close()

    def wake(self) -> None:
        """Return from waiting."""
        self._woken.set()

    def _look(self) -> None:
        now_ns, held = time.monotonic_ns(), self._held(self.store)
        wanted = self._wanted()
        with self._lock:
            before, found = self.keys, {}
            for key, each in held.items():
                was = before.get(key)
                handed_over_ns = None if was is None or each.is_leading else was.handed_over_ns
                if was is not None and was.is_leading and not each.is_leading:
                    handed_over_ns = now_ns
                found[key] = each._replace(is_astray=key in self._astray, handed_over_ns=handed_over_ns)
            self.keys = found
        self.missing = set(wanted) - held.keys()

    def _hear(self, key: str, reported: Reported) -> None:
        """Take in what the process of a key reports: how it is, before what it has to say."""
        with self._lock:
            is_news = self._owners.get(key) != reported.owner
            self._owners[key] = reported.owner
            if reported.is_leading is not None:
                (self._astray.add if reported.is_astray else self._astray.discard)(key)
                known = self.keys.get(key)
                if known is not None and known.is_leading != reported.is_leading:
                    is_news = True
                    handed_over_ns = None if reported.is_leading else time.monotonic_ns()
                    now = known._replace(is_leading=reported.is_leading, handed_over_ns=handed_over_ns)
                    self.keys = {**self.keys, key: now}
        if is_news:
            self._woken.set()
        if reported.log and self.log is not None:
            self.log(reported.log)
        if reported.compared:
            self.compare(reported.compared)

    def _not_applied(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        try:
            keys = self._held(self._asked)
        except psycopg.OperationalError:
            self._asked.close()
            keys = dict(self.keys)
        found = []
        for each in deliveries:
            envelope = each.envelope
            stream = envelope.key, envelope.sender, envelope.sender_key
            held = keys.get(envelope.key)
            # One that follows may have been shown by its leader's log what comes here a moment later.
            mark = held.marks.get(stream[1:], (0, 0))[1] if held is not None and held.is_leading else 0
            if envelope.number > max(mark, self._heard.get(stream, 0)):
                self._heard[stream] = envelope.number
                found.append(each)
        return found

    def _held(self, store: Store) -> dict[str, _HeldApart]:
        """Return the keys that the processes at the other ends hold: others may hold some in the same database."""
        rows = store.connection.execute(
            "SELECT k.key, k.epoch, k.number, k.parked_because, k.is_leading, m.sender, m.sender_key, m.epoch, "
            "m.position FROM banyan_key AS k LEFT JOIN banyan_mark AS m ON m.key = k.key AND m.sender = ANY(%s) "
            "WHERE k.owner = ANY(%s)",
            [self._senders, list(self._owners.values())],
        ).fetchall()
        found: dict[str, _HeldApart] = {}
        marks: dict[str, dict[tuple[str, str], tuple[int, int]]] = {}
        for key, epoch, number, parked, leads, sender, sender_key, *mark in rows:
            found.setdefault(key, _HeldApart(epoch, number, marks.setdefault(key, {}), parked, leads))
            if sender is not None:
                marks[key][sender, sender_key] = mark[0], mark[1]
        return found


def _decoded(delivery: Delivery) -> Delivery:
    try:
        message = decode_message(delivery.envelope.name, delivery.body)
    except CodecError:
        return delivery  # whoever applies it is told why
    return delivery._replace(message=message)
