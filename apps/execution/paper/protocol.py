"""What is said over the paper broker's socket: frames of msgpack, each with its length in front (4 bytes, big-endian).

Columns are packed (`apps.execution.packed`) and belong to the account number, instrument index (into `terms` or
`instruments`) and so on of their row; client order ids are 24 bytes of ASCII each, one after the other. Quantities are
lot steps, order prices ticks, other prices billionths, money millionths, times ns since 1970 UTC.
"""

from collections.abc import Iterator
from enum import IntEnum

import msgspec

from apps.execution.contracts import InstrumentTerms

FRAME_BYTES_MAX = 64 * 1024 * 1024


class ProtocolError(ValueError):
    """Bytes that are no frame; whoever sent them is hung up on."""


class Code(IntEnum):
    """Why the broker rejected or cancelled an order."""

    NONE = 0
    DEADLINE_PASSED = 1
    SESSION_ENDED = 2
    NO_ACCOUNT = 3
    NO_PRICE = 4
    REQUOTE = 5
    BAD_ORDER = 6
    UNKNOWN_ORDER = 7
    REDUCE_ONLY = 8
    INJECTED = 9
    DUPLICATE = 10
    REPLACED = 11
    """Another protective order stands in its place."""
    PROTECTED = 12
    """A protective order has closed what it was to add to."""
    CLOSED = 13
    """There is nothing left to protect."""
    RATE_LIMIT = 14
    """More orders than are taken in a second."""


class Frame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="frame"):
    """What all frames are. `request` comes back in the answer."""

    request: int = 0


# ---- to the broker -------------------------------------------------------------------------------------------------


class Open(Frame, frozen=True, kw_only=True, tag="open"):
    """Open accounts; those that are open stay as they are. Answered by Done.

    `currency` is an index into `currencies`; an account of "" takes every price as one in its own currency. Where there
    is no rate between two currencies `via` (an index too) is the one between both, "" for none. A hedging
    account (`hedging` 1) holds tickets: each order of it has the tag of one, and only closes that if it is reduce-only.
    """

    rows: int
    account: bytes
    deposit_micro: bytes = b""
    fee_rate_e9: bytes = b""
    currencies: tuple[str, ...] = ("",)
    currency: bytes = b""
    hedging: bytes = b""
    via: bytes = b""


class Deposit(Frame, frozen=True, kw_only=True, tag="deposit"):
    """Add to the cash of accounts (or take from it), once per `reference`: reported as what `kind` (a CashKind) says.

    A swap or a dividend is of the instrument `instrument` ("" for a payment).
    """

    rows: int
    reference: str
    account: bytes
    amount_micro: bytes
    kind: int = 0
    instrument: str = ""


class Login(Frame, frozen=True, kw_only=True, tag="login"):
    """Begin a session over accounts. Whatever session they were in has ended when LoggedIn is sent."""

    rows: int
    account: bytes


class Submit(Frame, frozen=True, kw_only=True, tag="submit"):
    """Orders of the session `session`, not taken after `deadline_ns`. Answered by Reports, as they happen.

    Orders with one `tag` (above 0) of an account and instrument are one position there. A protective order (kind 4:
    stop loss `stop_ticks`, take profit `limit_ticks`, `trail_ticks`) closes it, from the fill of the entry that comes
    with it on, or from the next prices on; `base_steps` is what was held under the tag before.
    """

    session: int
    deadline_ns: int
    rows: int
    terms: list[InstrumentTerms]
    client_ids: bytes
    account: bytes
    instrument: bytes
    steps: bytes
    kind: bytes = b""
    limit_ticks: bytes = b""
    stop_ticks: bytes = b""
    time_in_force: bytes = b""
    expires_ns: bytes = b""
    reduce_only: bytes = b""
    trail_ticks: bytes = b""
    base_steps: bytes = b""
    tag: bytes = b""


class Cancel(Frame, frozen=True, kw_only=True, tag="cancel"):
    """Cancel orders. Answered by Reports: cancelled, or rejected with UNKNOWN_ORDER where nothing works."""

    session: int
    rows: int
    client_ids: bytes


class Query(Frame, frozen=True, kw_only=True, tag="query"):
    """Ask what became of orders of accounts. Answered by Found."""

    session: int
    rows: int
    client_ids: bytes
    account: bytes


class AskStatement(Frame, frozen=True, kw_only=True, tag="ask-statement"):
    """Ask for the positions, cash and working orders of accounts, and their reports after execution number `since`."""

    session: int
    rows: int
    account: bytes
    since: int = 0


class Prices(Frame, frozen=True, kw_only=True, tag="prices"):
    """Prices of instruments, one step of time: quotes (opens only), or bars. Answered by Done once all are matched.

    `day` is the session day, -1 the date of `time_ns`. The closes of pairs of currencies are the rates between them.
    """

    rows: int
    terms: list[InstrumentTerms]
    time_ns: int
    closed_ns: int = 0
    day: int = -1
    ask_open: bytes
    bid_open: bytes
    ask_high: bytes = b""
    ask_low: bytes = b""
    ask_close: bytes = b""
    bid_high: bytes = b""
    bid_low: bytes = b""
    bid_close: bytes = b""


class Inject(Frame, frozen=True, kw_only=True, tag="inject"):
    """Change the faults that are injected: JSON of `apps.execution.paper.faults.Faults`."""

    faults: bytes


# ---- from the broker -----------------------------------------------------------------------------------------------


class Done(Frame, frozen=True, kw_only=True, tag="done"):
    """What was asked is done, and durable."""


class Refused(Frame, frozen=True, kw_only=True, tag="refused"):
    """What was asked cannot be done."""

    reason: str


class LoggedIn(Frame, frozen=True, kw_only=True, tag="logged-in"):
    """A session has begun: its number is higher than that of any before. `missing` are accounts that are not open."""

    session: int
    missing: list[int] = []


class Reports(Frame, frozen=True, kw_only=True, tag="reports"):
    """Execution reports. `execution` numbers are unique for ever; `kind` is a ReportKind, `code` a Code.

    `amount_micro` is the cash that a fill's notional brought, where it had to be converted to the account's currency.

    Execution number 0 is an answer, not something that happened to an order: a rejected cancel, an unknown account.
    A session that had been told everything up to number `after` has been told everything up to `upto` with these; 0: an
    answer to a question, which is no part of that.
    """

    rows: int
    after: int = 0
    upto: int = 0
    instruments: list[str]
    execution: bytes
    client_ids: bytes
    account: bytes
    instrument: bytes
    kind: bytes
    code: bytes = b""
    steps: bytes = b""
    price_e9: bytes = b""
    fee_micro: bytes = b""
    amount_micro: bytes = b""
    at_ns: bytes = b""


class Found(Frame, frozen=True, kw_only=True, tag="found"):
    """The answer to a query over session `session`, and all reports of the orders that are known.

    `known` is 1, 0, or 2 where another session has taken the account over, which alone may tell that nothing arrives.
    """

    session: int
    rows: int
    known: bytes
    reports: Reports


class Statement(Frame, frozen=True, kw_only=True, tag="statement"):
    """Accounts at one moment, `at_ns`: what they hold, which orders work for them, and their reports.

    `upto` is the last execution number there is: what to ask from the next time.
    """

    session: int
    at_ns: int
    upto: int
    rows: int
    instruments: list[str]
    account: bytes
    instrument: bytes
    steps: bytes
    accounts: int
    cash_micro: bytes
    working: int
    working_ids: bytes
    working_account: bytes
    working_instrument: bytes
    working_steps: bytes
    reports: Reports


Request = Open | Deposit | Login | Submit | Cancel | Query | AskStatement | Prices | Inject
Answer = Done | Refused | LoggedIn | Reports | Found | Statement

_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS = msgspec.msgpack.Decoder(Request)
_ANSWERS = msgspec.msgpack.Decoder(Answer)


def to_bytes(frame: Frame) -> bytes:
    """Return a frame as it is written to the socket. Raises ProtocolError where it is too long."""
    body = _ENCODER.encode(frame)
    if len(body) > FRAME_BYTES_MAX:
        raise ProtocolError(f"a frame of {len(body)} bytes: split it below {FRAME_BYTES_MAX}")
    return len(body).to_bytes(4, "big") + body


def to_request(body: bytes | bytearray) -> Request:
    """Return what a client says. Raises ProtocolError."""
    try:
        return _REQUESTS.decode(body)
    except msgspec.DecodeError as problem:
        raise ProtocolError(f"not a request: {problem}") from None


def to_answer(body: bytes | bytearray) -> Answer:
    """Return what the broker says. Raises ProtocolError."""
    try:
        return _ANSWERS.decode(body)
    except msgspec.DecodeError as problem:
        raise ProtocolError(f"not an answer: {problem}") from None


class FrameBuffer:
    """Bytes as they come in, and the frames that are whole."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, received: bytes) -> Iterator[bytes]:
        """Yield the bodies of the frames that are whole now. Raises ProtocolError for a length that cannot be."""
        self._bytes += received
        at = 0
        while len(self._bytes) - at >= 4:
            length = int.from_bytes(self._bytes[at : at + 4], "big")
            if length > FRAME_BYTES_MAX:
                raise ProtocolError(f"a frame of {length} bytes")
            if len(self._bytes) - at - 4 < length:
                break
            yield bytes(self._bytes[at + 4 : at + 4 + length])
            at += 4 + length
        del self._bytes[:at]
