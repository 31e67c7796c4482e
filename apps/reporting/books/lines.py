"""Lines of tradebooks and orderbooks: exactly what a record of execution's log says of each account, in its order."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from apps.execution.book_contracts import Booking, LotsBooked, ManualTargeted, OrdersAdopted, SetConfigured
from apps.execution.contracts import (
    AccountOpened,
    EdgeRefusal,
    OrdersAccepted,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrdersUnknown,
    ReportKind,
)
from apps.reporting.books.form import ORDERBOOK, TRADEBOOK, Owner, field_of
from apps.reporting.books.register import Register
from apps.reporting.columns import full, names_of
from apps.reporting.reading import named
from apps.reporting.written import Lines, Written
from apps.risk.contracts import Level, OrdersRefused, RefusalReason
from banyan.codec import decode_envelope, decode_message
from banyan.columns import Ints
from banyan.host.delivery import split_events
from banyan.messages import Message
from banyan.spreadsheets import are_texts
from banyan.store import Step


class Chunk(NamedTuple):
    """Lines that an event gives, a row of a message each: `owners` are rows of the shard's register."""

    file: str
    number: int
    event: int
    owners: Ints
    written: Written


def chunks_of(register: Register, step: Step) -> tuple[list[Chunk], bool]:
    """Return the lines that a record gives, in order, and whether it taught the register something."""
    maker = _Maker(register, step)
    envelope = decode_envelope(step.header)
    if envelope.name == OrdersRefused.wire_name:
        maker.make(0, decode_message(envelope.name, step.body))
    for index, (name, body) in enumerate(split_events(step.events), start=1):
        if name in _WANTED:
            maker.make(index, decode_message(name, body))
    return maker.chunks, maker.has_learned


class _Rows(NamedTuple):
    """The rows of a message that are about orders: whose they are, and in what."""

    owners: Ints
    names: Sequence[str]
    instrument: Ints
    lot_steps: Ints


class _Maker:
    def __init__(self, register: Register, step: Step) -> None:
        self.chunks: list[Chunk] = []
        self.has_learned = False
        self.register = register
        self._number = step.number
        self._at_ns = step.received_at_ns

    def make(self, event: int, message: Message) -> None:
        """Make the lines of an input or an event."""
        match message:
            case AccountOpened():
                owner = Owner(message.account, message.client, message.currency)
                self.has_learned |= self.register.own(message.number, owner)
            case SetConfigured(settings=settings):
                self.has_learned |= self.register.learn(settings.terms)
            case ManualTargeted(terms=terms):
                self.has_learned |= self.register.learn([terms])
            case OrdersFilled():
                _filled(self, event, message)
            case LotsBooked():
                _booked(self, event, message)
            case OrdersRequested() | OrdersReleased() | OrdersAdopted():
                if isinstance(message, OrdersRequested):
                    self.has_learned |= self.register.learn(message.terms)
                _asked(self, event, message)
            case OrdersAccepted():
                self.orders(event, message, lambda rows: self.begun(event, message, rows, "accepted").text(",,,,"))
            case OrdersUnknown():
                self.orders(event, message, lambda rows: self.begun(event, message, rows, "unknown").text(",,,,"))
            case OrdersEnded():
                _ended(self, event, message)
            case OrdersRefused():
                _refused(self, event, message)

    def orders(self, event: int, message: Any, lines: Callable[[_Rows], Lines]) -> None:
        """Add the lines of a message to orderbooks."""
        if message.account.size:
            rows = self.rows(message)
            written = lines(rows).text("\n").write()
            self.chunks.append(Chunk(ORDERBOOK, self._number, event, rows.owners, written))

    def rows(self, message: Any) -> _Rows:
        """Return whose the rows of a message are."""
        names, index = names_of(message), full(message.instrument, message.account.size)
        owners = self.register.rows(message.account)
        return _Rows(owners, names, index, self.register.lot_steps(names, index))

    def begun(self, event: int, message: Any, rows: _Rows, *what: str, kind: Ints | int = 0) -> Lines:
        """Return lines up to what comes after the order's id; what has happened in each is `what[kind]`."""
        at = np.arange(message.account.size)
        lines = Lines(at.size).text(f"{self._number}.{event}.").whole(at).text(",", _time(self._at_ns), ",")
        self._what(lines, rows, what, kind)
        lines.hexadecimal(self.register.pairs(rows.owners, rows.names, rows.instrument), 16)
        return lines.hexadecimal(message.decision, 8).text(",")

    def trades(self, event: int, message: Any, what: str, rows: _Rows, books: "Texts", execution: "Texts") -> None:
        """Add the lines of a message to tradebooks."""
        n = message.account.size
        at_ns = full(message.filled_at_ns, n) if isinstance(message, OrdersFilled) else self._at_ns
        lines = Lines(n).text(f"{self._number}.{event}.").whole(np.arange(n)).text(",").time(at_ns).text(",")
        self._what(lines, rows, [what], 0)
        if isinstance(message, OrdersFilled):
            lines.hexadecimal(self.register.pairs(rows.owners, rows.names, rows.instrument), 16)
            lines.hexadecimal(message.decision, 8)
        lines.text(",").lots(full(message.steps, n), rows.lot_steps).text(",").fixed(full(message.price_e9, n), 9)
        lines.text(",").fixed(full(message.amount_micro, n), 6).text(",").fixed(full(message.fee_micro, n), 6)
        lines.text(",").chosen(self.register.currency(rows.owners), self.register.currencies)
        lines.text(",").chosen(*books).text(",").chosen(*execution).text("\n")
        self.chunks.append(Chunk(TRADEBOOK, self._number, event, rows.owners, lines.write()))

    def _what(self, lines: Lines, rows: _Rows, what: Sequence[str], kind: Ints | int) -> None:
        lines.chosen(kind, [each.encode() for each in what]).text(",") if len(what) > 1 else lines.text(what[0], ",")
        lines.chosen(rows.instrument, [_field(each) for each in rows.names]).text(",")


Texts = tuple[Ints | int, Sequence[bytes]]
"""Which of some texts stands in each row."""


def _asked(maker: _Maker, event: int, message: OrdersRequested | OrdersReleased | OrdersAdopted) -> None:
    match message:
        case OrdersRequested():
            what, of = "requested", f",{field_of(message.set)},{_time(message.decided_at_ns)},"
        case OrdersReleased():
            what, of = "released", ",,,"
        case OrdersAdopted():
            what, of = "adopted", ",external,,the edge had sent it"

    def lines(rows: _Rows) -> Lines:
        steps = full(message.steps, message.account.size)
        begun = maker.begun(event, message, rows, what).lots(steps, rows.lot_steps)
        return begun.text(",").lots(steps, rows.lot_steps).text(of)

    maker.orders(event, message, lines)


def _filled(maker: _Maker, event: int, message: OrdersFilled) -> None:
    n = message.account.size

    def lines(rows: _Rows) -> Lines:
        begun = maker.begun(event, message, rows, "filled").lots(full(message.steps, n), rows.lot_steps)
        return begun.text(",").lots(full(message.left_steps, n), rows.lot_steps).text(",,,")

    if n:
        maker.orders(event, message, lines)
        rows = maker.rows(message)
        execution: Texts = (np.arange(n), _fields(message.execution_id)) if message.execution_id else (0, [])
        maker.trades(event, message, "filled", rows, _shares(message, rows), execution)


def _shares(message: OrdersFilled, rows: _Rows) -> Texts:
    """Return to which books each fill went, nothing where it was to the one of its order."""
    n = message.split_fill.size
    if not n:
        return 0, []
    parts = Lines(n).chosen(full(message.split_book, n), [each.encode() for each in message.books]).text(":")
    text, ends = parts.lots(message.split_steps, rows.lot_steps[message.split_fill]).write()
    whole, begins = text.tobytes(), [0, *ends.tolist()]
    shares: dict[int, list[bytes]] = {}
    for at, fill in enumerate(message.split_fill.tolist()):
        shares.setdefault(fill, []).append(whole[begins[at] : begins[at + 1]])
    which = np.zeros(message.account.size, np.int64)
    which[list(shares)] = np.arange(1, len(shares) + 1)
    return which, [b"", *(_field(b"|".join(each).decode()) for each in shares.values())]


def _booked(maker: _Maker, event: int, message: LotsBooked) -> None:
    n = message.account.size
    if n:
        books: Texts = full(message.book, n), _fields(message.books)
        maker.trades(event, message, named(Booking, message.kind), maker.rows(message), books, (0, []))


def _ended(maker: _Maker, event: int, message: OrdersEnded) -> None:
    n = message.account.size
    kinds, kind = np.unique(full(message.kind, n), return_inverse=True)
    pairs, reason = np.unique(np.stack([full(message.kind, n), full(message.code, n)]), axis=1, return_inverse=True)
    reasons = [_field(_reason(each, code, message.texts)) for each, code in pairs.T.tolist()]
    reason = reason.reshape(-1)

    def lines(rows: _Rows) -> Lines:
        begun = maker.begun(event, message, rows, *(named(ReportKind, each) for each in kinds.tolist()), kind=kind)
        return begun.text(",").lots(full(message.left_steps, n), rows.lot_steps).text(",,,").chosen(reason, reasons)

    maker.orders(event, message, lines)


def _reason(kind: int, code: int, texts: Sequence[str]) -> str:
    match kind:
        case ReportKind.DENIED:
            return f"risk: {named(RefusalReason, code)}"
        case ReportKind.REFUSED:
            return f"edge: {named(EdgeRefusal, code)}"
        case _:
            return texts[code - 1] if 0 < code <= len(texts) else ""


def _refused(maker: _Maker, event: int, message: OrdersRefused) -> None:
    n = message.account.size
    columns = [full(each, n).tolist() for each in (message.reason, message.level, message.bound, message.actual)]
    limits = [
        _field(f"{named(RefusalReason, reason)}: {actual} against {bound} at level {named(Level, level)}")
        for reason, level, bound, actual in zip(*columns, strict=True)
    ]
    maker.orders(
        event, message,
        lambda rows: maker.begun(event, message, rows, "refused by risk").text(",,,,").chosen(np.arange(n), limits),
    )  # fmt: skip


_HANDLED: tuple[type[Message], ...] = (
    AccountOpened, SetConfigured, ManualTargeted, OrdersFilled, LotsBooked, OrdersRequested, OrdersAdopted,
    OrdersReleased, OrdersAccepted, OrdersUnknown, OrdersEnded,
)  # fmt: skip
_WANTED = frozenset(kind.wire_name for kind in _HANDLED)


def _field(text: str) -> bytes:
    return field_of(text).encode("utf-8", "surrogatepass")


def _fields(texts: Sequence[str]) -> list[bytes]:
    """Return texts as fields: at once where none of them needs quotes."""
    together = "".join(texts)
    if together.isascii() and are_texts(texts) and field_of(together) == together:
        return [each.encode() for each in texts]
    return [_field(each) for each in texts]


def _time(at_ns: int) -> str:
    if not at_ns:
        return ""
    return f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{at_ns % 10**9:09d}Z"
