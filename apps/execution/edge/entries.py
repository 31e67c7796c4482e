"""The lines of the edge's ledger. A shard's memory is what its lines, applied in order, have made of it."""

from enum import IntEnum
from typing import Any

import msgspec

from apps.execution.contracts import InstrumentTerms, OrdersReported
from banyan.codec import decode_message


class EntryKind(IntEnum):
    """What an entry says; the numbers of `models.Entry.Kind`."""

    OPENED = 1
    SLICE = 2
    REPORT = 3
    CANCEL = 4
    GATE = 5
    ADOPTED = 6
    RECONCILED = 7
    COVERED = 8


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts that the edge may trade from now on. `deposits` and `fee_rates_e9` are for brokers that let us open."""

    numbers: list[int]
    accounts: list[str]
    brokers: list[str]
    deposits_micro: list[int]
    fee_rates_e9: list[int]
    currencies: list[str] = []
    hedging: list[bool] = []
    vias: list[str] = []


class Slice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Orders of one released message, SENT before they are written, or refused.

    Columns are packed; `code` is the EdgeRefusal of rows that are not sent, `session` the broker's session of those
    that are. With `is_queried` the orders are of an older incarnation: nobody knows whether they were sent, and they
    are only asked for.
    """

    cause: str
    deadline_ns: int
    rows: int
    terms: list[InstrumentTerms]
    account: bytes = b""
    instrument: bytes = b""
    decision: bytes = b""
    steps: bytes = b""
    order_type: bytes = b""
    limit_ticks: bytes = b""
    stop_ticks: bytes = b""
    time_in_force: bytes = b""
    expires_ns: bytes = b""
    reduce_only: bytes = b""
    trail_ticks: bytes = b""
    base_steps: bytes = b""
    tag: bytes = b""
    code: bytes = b""
    session: bytes = b""
    is_queried: bool = False


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that are to be cancelled, by their ids of 24 bytes."""

    cause: str
    client_ids: bytes


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts that may not trade because of `reason`, until a person lifts it (`reason` is then empty)."""

    accounts: list[int]
    reason: str


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """Orders with our ids that only the broker knew: their decision numbers are used up."""

    accounts: list[int]
    instruments: list[str]
    decisions: list[int]


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """A broker's statement was booked: the next is asked from `upto`. `message` is the AccountsReconciled, as sent."""

    broker: str
    upto: int
    message: bytes


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """A broker's statement was booked up to the mark `upto`, while every account had something on its way."""

    broker: str
    upto: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An entry. `what` is one of the above, or the OrdersReported of a report, whose message as sent is `body`."""

    key: str
    number: int
    kind: EntryKind
    previous: int
    id: str
    at_ns: int
    what: Any
    body: bytes


_TYPES: dict[EntryKind, type[msgspec.Struct]] = {
    EntryKind.OPENED: Opened,
    EntryKind.SLICE: Slice,
    EntryKind.CANCEL: Cancel,
    EntryKind.GATE: Gate,
    EntryKind.ADOPTED: Adopted,
    EntryKind.RECONCILED: Reconciled,
    EntryKind.COVERED: Covered,
}
_KINDS = {kind: number for number, kind in _TYPES.items()}
_ENCODER = msgspec.msgpack.Encoder()
_DECODERS = {number: msgspec.msgpack.Decoder(kind) for number, kind in _TYPES.items()}


def kind_of(what: msgspec.Struct) -> EntryKind:
    """Return the kind of entry that `what` makes."""
    return EntryKind.REPORT if isinstance(what, OrdersReported) else _KINDS[type(what)]


def encode(what: msgspec.Struct) -> bytes:
    """Return the body of an entry that is no report."""
    return _ENCODER.encode(what)


def decode(kind: EntryKind, body: bytes) -> Any:
    """Return what the body of an entry says."""
    if kind is EntryKind.REPORT:
        return decode_message(OrdersReported.wire_name, body)
    return _DECODERS[kind].decode(body)
