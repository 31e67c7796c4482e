"""Messages: frozen types with versioned names on the wire, and the registry of them all.

A message's name is `<context>.<what-happened>.v<major>`: commands are imperative, events past tense. Fields are only
ever added, with a default; anything else is a new version, and the old type stays for as long as a log may hold it.
"""

import re
from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar

import msgspec

from banyan.columns import Ints, ints

_NAME = re.compile(r"[a-z]+(\.[a-z]+(-[a-z]+)*)\.v[1-9][0-9]*")


class MessageNameError(ValueError):
    """A wire name is not well formed, is taken, or is not known here."""


class Message(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What all messages are: immutable, with `wire_name` set by the decorator `message`."""

    wire_name: ClassVar[str]


Kind = TypeVar("Kind", bound=type[Message])
_REGISTRY: dict[str, type[Message]] = {}


def message(wire_name: str) -> Callable[[Kind], Kind]:
    """Return a decorator that registers a message type under `wire_name`, such as "risk.orders-approved.v1".

    Raises MessageNameError for a name that is not well formed or stands for another type already.
    """
    if not _NAME.fullmatch(wire_name):
        raise MessageNameError(f"{wire_name!r} is not <context>.<what-happened>.v<number> in lower case")

    def register(kind: Kind) -> Kind:
        known = _REGISTRY.setdefault(wire_name, kind)
        if known.__qualname__ != kind.__qualname__ or known.__module__ != kind.__module__:
            raise MessageNameError(f"{wire_name} is the name of {known.__module__}.{known.__qualname__} already")
        _REGISTRY[wire_name] = kind
        kind.wire_name = wire_name
        return kind

    return register


def message_type(wire_name: str) -> type[Message]:
    """Return the type that is registered under `wire_name`. Raises MessageNameError where there is none."""
    try:
        return _REGISTRY[wire_name]
    except KeyError:
        raise MessageNameError(f"{wire_name!r} is no message that is known here") from None


def message_types() -> Mapping[str, type[Message]]:
    """Return all registered types by wire name."""
    return dict(sorted(_REGISTRY.items()))


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """An input as `decide` sees it: a message, and when it was received. Times are ns since 1970 UTC."""

    message: Message
    id: str
    key: str
    received_at_ns: int
    event_time_ns: int
    deadline_ns: int | None = None
    correlation: str = ""


@message("banyan.timer-set.v1")
class TimerSet(Message, frozen=True, kw_only=True):
    """Ask the host for `TimerDue(name)` once its time reaches `due_ns`; a timer of the same name is replaced."""

    name: str
    due_ns: int


@message("banyan.timer-cancelled.v1")
class TimerCancelled(Message, frozen=True, kw_only=True):
    """Take back the timer `name`, if it has not come due."""

    name: str


@message("banyan.timer-due.v1")
class TimerDue(Message, frozen=True, kw_only=True):
    """A timer that was asked for has come due."""

    name: str
    due_ns: int


@message("banyan.logged.v1")
class Logged(Message, frozen=True, kw_only=True):
    """A record of a leader's log: an input with its envelope, when it was received, and [name, message] of its events.

    Its number and epoch are those of the envelope that it travels in. `digest` is that of the state after it, where the
    leader has taken one, and `digest_version` the version of the snapshot that it was taken of, 0 where it is not said.
    """

    received_at_ns: int
    committed_at_ns: int
    envelope: msgspec.Raw
    message: msgspec.Raw
    events: msgspec.Raw
    digest: str = ""
    digest_version: int = 0


class StreamMark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream from a key of `context` has been applied; or, of one to it, how far it has been sent."""

    context: str
    key: str
    epoch: int = 0
    number: int


@message("banyan.seeded.v1")
class Seeded(Message, frozen=True, kw_only=True):
    """All that a side needs to follow a key from the next record of its log on: a snapshot, and what stands beside it.

    `state` is a snapshot of schema `version`, `digest` its BLAKE2b in 32 hex digits, `timers` when each is due. `seen`
    are ids of inputs without number that have been applied.
    """

    version: int
    state: bytes
    digest: str
    read: list[StreamMark]
    sent: list[StreamMark]
    timers: dict[str, int]
    seen: list[str]


@message("banyan.hand-over.v1")
class HandOver(Message, frozen=True, kw_only=True):
    """Lead a key no longer: the side `to` leads it from the next record on. Where that is so, or too late, it is void.

    It is the last record of the epoch that it ends, and has no events.
    """

    to: str
    until_ns: int


@message("banyan.took-over.v1")
class TookOver(Message, frozen=True, kw_only=True):
    """A side leads a key: the first record of its epoch, which has no events."""

    side: str


@message("banyan.compared.v1")
class Compared(Message, frozen=True, kw_only=True):
    """What a follower would have decided about a record of the log: the `same`, or else `events`, or a `problem`.

    `digest` tells whether its state has the leader's digest, "" where none was to be compared. `decided_ns` is how long
    it took to decide. One that was not chosen to be compared (`is_compared`) says how far its follower is, and no more.
    Where it is of a `source`, `events` are not what was decided but what the follower's own source gave beside the
    record, told later than that; it says nothing of how far the follower is.
    """

    same: bool
    cause: str
    input: str
    received_at_ns: int
    committed_at_ns: int
    followed_at_ns: int
    decided_ns: int
    events: msgspec.Raw
    problem: str = ""
    digest: str = ""
    is_compared: bool = True
    source: bool = False


@message("banyan.rows-parked.v1")
class RowsParked(Message, frozen=True, kw_only=True):
    """Rows of an input that could not be processed: they are kept as dead letters, the other rows went on.

    `accounts` are the account numbers of the rows, -1 where a row has none.
    """

    reason: str
    rows: Ints
    accounts: Ints = msgspec.field(default_factory=ints)


@message("banyan.message-parked.v1")
class MessageParked(Message, frozen=True, kw_only=True):
    """An input that could not be processed at all is kept as a dead letter; the stream's mark has moved past it."""

    id: str
    reason: str
