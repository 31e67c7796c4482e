"""Lines of tradebooks and orderbooks, made row by row with Python's own numbers and texts: what `lines` is held to."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from apps.execution.book_contracts import Booking, LotsBooked, ManualTargeted, OrdersAdopted, SetConfigured
from apps.execution.contracts import (
    AccountOpened,
    EdgeRefusal,
    InstrumentTerms,
    OrdersAccepted,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrdersUnknown,
    ReportKind,
    order_pair,
)
from apps.reporting.books.form import ORDERBOOK, TRADEBOOK, Known, Owner, Portion, Position
from apps.reporting.reading import named
from apps.risk.contracts import Level, OrdersRefused, RefusalReason
from banyan.codec import decode_envelope, decode_message
from banyan.host.delivery import split_events
from banyan.messages import Message
from banyan.store import Step


class Line(NamedTuple):
    """A line of one of an account's files."""

    owner: Owner
    file: str
    position: Position
    text: str


def portions_of(lines: Iterable[Line]) -> list[Portion]:
    """Return lines by the files that they belong to."""
    by_file: dict[tuple[Owner, str], list[Line]] = {}
    for line in lines:
        by_file.setdefault((line.owner, line.file), []).append(line)
    portions = []
    for (owner, file), theirs in by_file.items():
        texts = [line.text.encode() for line in theirs]
        ends = np.cumsum([len(text) for text in texts])
        text = np.frombuffer(b"".join(texts), np.uint8)
        portions.append(Portion(owner, file, text, ends, np.array([line.position for line in theirs])))
    return portions


def rows_of(message: Any, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield (account, instrument, decision, *columns) of each row of a message about orders."""
    n = message.account.size
    names = [each.id for each in message.terms] if hasattr(message, "terms") else message.instruments
    instruments = [names[at] for at in filled_in(message.instrument, n)]
    others = [filled_in(getattr(message, name), n) for name in columns]
    return zip(message.account.tolist(), instruments, message.decision.tolist(), *others, strict=True)


def filled_in(column: Any, rows: int) -> list[int]:
    """Return a column as a list; one that is empty holds 0 in every row."""
    return column.tolist() or [0] * rows


def lines_of(known: Known, step: Step) -> tuple[list[Line], bool]:
    """Return the lines that a record gives, in order, and whether it taught `known` something."""
    maker = _Maker(known, step)
    envelope = decode_envelope(step.header)
    if envelope.name == OrdersRefused.wire_name:
        maker.make(0, decode_message(envelope.name, step.body))
    for index, (name, body) in enumerate(split_events(step.events), start=1):
        if name in _WANTED:
            maker.make(index, decode_message(name, body))
    return maker.lines, maker.has_learned


class _Maker:
    def __init__(self, known: Known, step: Step) -> None:
        self.lines: list[Line] = []
        self.has_learned = False
        self._known = known
        self._number = step.number
        self._at_ns = step.received_at_ns
        self._time = _time(step.received_at_ns)

    def make(self, event: int, message: Message) -> None:
        """Make the lines of an input or an event."""
        match message:
            case AccountOpened():
                owner = Owner(message.account, message.client, message.currency)
                self.has_learned |= self._known.accounts.get(message.number) != owner
                self._known.accounts[message.number] = owner
            case SetConfigured(settings=settings):
                self.learn(settings.terms)
            case ManualTargeted(terms=terms):
                self.learn([terms])
            case OrdersFilled():
                self._filled(event, message)
            case LotsBooked():
                self._booked(event, message)
            case _:
                _MAKERS[type(message)](self, event, message)

    def order(self, event: int, row: int, what: str, key: tuple[int, str, int], fields: str) -> None:
        """Add a line to an account's orderbook; `fields` are those after the order's id, joined."""
        account, instrument, decision = key
        owner = self._owner(account)
        number = self._number
        pair = _pair(owner.account, instrument)
        text = f"{number}.{event}.{row},{self._time},{what},{_text(instrument)},{pair:016x}{decision:08x},{fields}\n"
        self.lines.append(Line(owner, ORDERBOOK, (number, event, row), text))

    def lots(self, instrument: str, steps: int) -> str:
        """Return lot steps as lots."""
        lot_step_e9 = self._known.lot_steps_e9.get(instrument)
        return f"{steps} steps" if lot_step_e9 is None else fixed(steps * lot_step_e9, 9)

    def learn(self, all_terms: Iterable[InstrumentTerms]) -> None:
        """Remember how large lot steps are."""
        for terms in all_terms:
            self.has_learned |= self._known.lot_steps_e9.get(terms.id) != terms.lot_step_e9
            self._known.lot_steps_e9[terms.id] = terms.lot_step_e9

    def _owner(self, account: int) -> Owner:
        return self._known.accounts.get(account) or Owner(f"#{account}", "", "")

    def _filled(self, event: int, message: OrdersFilled) -> None:
        splits: dict[int, list[str]] = {}
        n = message.split_fill.size
        rows = list(rows_of(message, "steps", "left_steps", "price_e9", "amount_micro", "fee_micro", "filled_at_ns"))
        columns = (message.split_fill.tolist(), filled_in(message.split_book, n), message.split_steps.tolist())
        for fill, book, steps in zip(*columns, strict=True):
            splits.setdefault(fill, []).append(f"{message.books[book]}:{self.lots(rows[fill][1], steps)}")
        ids = message.execution_id or [""] * len(rows)
        for row, (account, instrument, decision, steps, left, price, amount, fee, at_ns) in enumerate(rows):
            key = account, instrument, decision
            lots = self.lots(instrument, steps)
            self.order(event, row, "filled", key, f"{lots},{self.lots(instrument, left)},,,")
            books = "|".join(splits.get(row, ()))
            self._trade(event, row, "filled", key, (lots, price, amount, fee, books, ids[row], at_ns))

    def _booked(self, event: int, message: LotsBooked) -> None:
        n = message.account.size
        instruments = [message.instruments[at] for at in filled_in(message.instrument, n)]
        books = [message.books[at] for at in filled_in(message.book, n)]
        columns = [filled_in(getattr(message, name), n) for name in ("steps", "price_e9", "amount_micro", "fee_micro")]
        rows = zip(message.account.tolist(), instruments, books, *columns, strict=True)
        what = named(Booking, message.kind)
        for row, (account, instrument, book, steps, price, amount, fee) in enumerate(rows):
            lots = self.lots(instrument, steps)
            self._trade(event, row, what, (account, instrument, 0), (lots, price, amount, fee, book, "", self._at_ns))

    def _trade(self, event: int, row: int, what: str, key: tuple[int, str, int], fields: tuple[Any, ...]) -> None:
        account, instrument, decision = key
        lots, price, amount, fee, books, execution, at_ns = fields
        owner = self._owner(account)
        place = self._number, event, row
        texts = (
            _position(place), _time(at_ns), what, _text(instrument),
            _order_id(owner.account, instrument, decision) if decision else "",
            lots, fixed(price, 9), fixed(amount, 6), fixed(fee, 6), _text(owner.currency), _text(books),
            _text(execution),
        )  # fmt: skip
        self.lines.append(Line(owner, TRADEBOOK, place, ",".join(texts) + "\n"))


def _requested(maker: _Maker, event: int, message: OrdersRequested) -> None:
    maker.learn(message.terms)
    of = f"{_text(message.set)},{_time(message.decided_at_ns)}"
    for row, (*key, steps) in enumerate(rows_of(message, "steps")):
        lots = maker.lots(key[1], steps)
        maker.order(event, row, "requested", _key(key), f"{lots},{lots},{of},")


def _adopted(maker: _Maker, event: int, message: OrdersAdopted) -> None:
    for row, (*key, steps) in enumerate(rows_of(message, "steps")):
        lots = maker.lots(key[1], steps)
        maker.order(event, row, "adopted", _key(key), f"{lots},{lots},external,,the edge had sent it")


def _released(maker: _Maker, event: int, message: OrdersReleased) -> None:
    for row, (*key, steps) in enumerate(rows_of(message, "steps")):
        lots = maker.lots(key[1], steps)
        maker.order(event, row, "released", _key(key), f"{lots},{lots},,,")


def _said(what: str) -> "_MakerOf":
    def make(maker: _Maker, event: int, message: Any) -> None:
        for row, key in enumerate(rows_of(message)):
            maker.order(event, row, what, _key(key), ",,,,")

    return make


def _ended(maker: _Maker, event: int, message: OrdersEnded) -> None:
    for row, (*key, left, kind, code) in enumerate(rows_of(message, "left_steps", "kind", "code")):
        match kind:
            case ReportKind.DENIED:
                reason = f"risk: {named(RefusalReason, code)}"
            case ReportKind.REFUSED:
                reason = f"edge: {named(EdgeRefusal, code)}"
            case _:
                reason = message.texts[code - 1] if 0 < code <= len(message.texts) else ""
        what = named(ReportKind, kind)
        maker.order(event, row, what, _key(key), f",{maker.lots(key[1], left)},,,{_text(reason)}")


def _refused(maker: _Maker, event: int, message: OrdersRefused) -> None:
    for row, (*key, reason, level, bound, actual) in enumerate(
        rows_of(message, "reason", "level", "bound", "actual")
    ):  # fmt: skip
        limit = f"{named(RefusalReason, reason)}: {actual} against {bound} at level {named(Level, level)}"
        maker.order(event, row, "refused by risk", _key(key), f",,,,{_text(limit)}")


def _key(values: Sequence[Any]) -> tuple[int, str, int]:
    account, instrument, decision = values
    return account, instrument, decision


_MakerOf = Callable[[_Maker, int, Any], None]
_MAKERS: Mapping[type[Message], _MakerOf] = {
    OrdersRequested: _requested,
    OrdersAdopted: _adopted,
    OrdersReleased: _released,
    OrdersAccepted: _said("accepted"),
    OrdersUnknown: _said("unknown"),
    OrdersEnded: _ended,
    OrdersRefused: _refused,
}
_OTHERS: tuple[type[Message], ...] = (AccountOpened, SetConfigured, ManualTargeted, OrdersFilled, LotsBooked)
_WANTED = frozenset(kind.wire_name for kind in (*_MAKERS, *_OTHERS)) - {OrdersRefused.wire_name}


@lru_cache(maxsize=65_536)
def fixed(value: int, digits: int) -> str:
    """Return value / 10**digits, exactly, without zeros at the end."""
    whole, rest = divmod(abs(value), 10**digits)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if rest else f"{sign}{whole}"


def _position(place: Position) -> str:
    return f"{place[0]}.{place[1]}.{place[2]}"


@lru_cache(maxsize=65_536)
def _text(text: str) -> str:
    """Return a text as a field: on one line whatever is in it, quoted where it must be."""
    if text.isprintable() and "," not in text and '"' not in text:
        return text
    one_line = "".join(each if each.isprintable() else " " for each in text)
    return '"' + one_line.replace('"', '""') + '"'


@lru_cache(maxsize=65_536)
def _time(at_ns: int) -> str:
    return f"{_second(at_ns // 10**9)}.{at_ns % 10**9:09d}Z" if at_ns else ""


@lru_cache(maxsize=1024)
def _second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def _order_id(account: str, instrument: str, decision: int) -> str:
    return f"{_pair(account, instrument):016x}{decision:08x}"


_pair = lru_cache(maxsize=65_536)(order_pair)
