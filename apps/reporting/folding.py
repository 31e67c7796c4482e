"""From the records of logs to news: pure functions of the messages that the contexts publish.

What becomes of an order is read from execution's log alone, in whose records the words of signals, risk and edge stand
as inputs: so an account's events have one order, and whoever reads them again gets the same.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from apps.execution.book_contracts import (
    EXTERNAL,
    AccountConfigured,
    LotsBooked,
    ManualTargeted,
    OrdersAdopted,
    SetConfigured,
    SettingLevel,
    Subscribed,
    TargetsSkipped,
)
from apps.execution.contracts import (
    AccountOpened,
    AccountValued,
    CashBooked,
    CashKind,
    OrdersAccepted,
    OrdersEnded,
    OrdersFilled,
    OrdersReported,
    OrdersRequested,
    OrdersSent,
    OrdersUnknown,
    ReportKind,
)
from apps.feeds.contracts import BarClosed
from apps.reporting.accounting import part_of
from apps.reporting.news import Cash, Close, News, Place, Quotes, Refusals, Setting, Signal, Skips, Trade, Value
from apps.risk.contracts import OrdersApproved, OrdersRefused
from apps.signals.contracts import TargetSet
from banyan.codec import Envelope, decode_envelope, decode_message, encode_message
from banyan.columns import Ints
from banyan.host.delivery import split_events
from banyan.messages import Message
from banyan.store import Step

FILLED = 0
DAY_NS = 86_400 * 10**9


def fold(news: News, source: str, step: Step) -> None:
    """Add what a record of `source`'s log tells."""
    events = EVENTS.get(source, {})
    for index, (name, body) in enumerate(split_events(step.events)):
        if name in events:
            place = Place(step.key, step.number, index, step.received_at_ns)
            events[name](news, place, decode_message(name, body), body)
    if source == "execution":
        _fold_input(news, step)


def _fold_input(news: News, step: Step) -> None:
    envelope = decode_envelope(step.header)
    if envelope.name not in INPUTS:
        return
    place = Place(step.key, step.number, -1, step.received_at_ns)
    INPUTS[envelope.name](news, place, decode_message(envelope.name, step.body), envelope)
    if envelope.name == TargetSet.wire_name:
        for name, body in split_events(step.events):
            if name == OrdersRequested.wire_name:
                _signalled(news, decode_message(name, body), envelope.sent_at_ns)


def rows_of(message: Any, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield (account, instrument, decision, *columns) of each row of a message about orders."""
    names = _names_of(message)
    n = message.account.size
    instruments = [names[at] for at in filled_in(message.instrument, n)]
    others = [filled_in(getattr(message, name), n) for name in columns]
    return zip(message.account.tolist(), instruments, message.decision.tolist(), *others, strict=True)


def filled_in(column: Ints, rows: int) -> list[int]:
    """Return a column as a list; one that is empty holds 0 in every row."""
    listed: list[int] = column.tolist()
    return listed or [0] * rows


def _names_of(message: Any) -> list[str]:
    return [each.id for each in message.terms] if hasattr(message, "terms") else list(message.instruments)


# ---- accounts and prices --------------------------------------------------------------------------------------------


def _opened(news: News, place: Place, message: AccountOpened, _: Any) -> None:
    news.accounts[message.number] = message, place.received_at_ns


def _valued(news: News, _: Place, message: AccountValued, __: Any) -> None:
    columns = (message.account, message.balance_micro, message.equity_micro, message.margin_micro)
    for account, balance, equity, margin in zip(*(each.tolist() for each in columns), strict=True):
        news.values[account] = Value(message.valued_at_ns, balance, equity, margin)


def _configured(news: News, place: Place, message: SetConfigured, _: Any) -> None:
    settings = message.settings
    news.learn((*settings.terms, *settings.conversions), place.received_at_ns)
    news.settings.append(Setting(place, SettingLevel.SET, settings.set, None, encode_message(settings)))


def _subscribed(news: News, place: Place, message: Subscribed, _: Any) -> None:
    settings = message.settings
    body = encode_message(settings)
    news.settings.append(Setting(place, SettingLevel.SUBSCRIPTION, settings.set, settings.account, body))


def _account_configured(news: News, place: Place, message: AccountConfigured, _: Any) -> None:
    settings = message.settings
    news.settings.append(Setting(place, SettingLevel.ACCOUNT, "", settings.account, encode_message(settings)))


def _manual(news: News, place: Place, message: ManualTargeted, _: Any) -> None:
    news.learn([message.terms], place.received_at_ns)


def _closed(news: News, place: Place, message: BarClosed, _: Any) -> None:
    bids, asks = message.bid_close.tolist(), message.ask_close.tolist()
    news.quotes.append(Quotes(place, message.closed_at_ns, message.instruments, bids, asks))
    day = message.closed_at_ns // DAY_NS
    for instrument, bid, ask in zip(message.instruments, bids, asks, strict=True):
        known = news.closes.get((instrument, day))
        if known is None or message.closed_at_ns >= known.closed_at_ns:
            news.closes[instrument, day] = Close(message.closed_at_ns, bid, ask)


def _cash(news: News, place: Place, message: CashBooked, _: Any) -> None:
    references = message.reference or [""] * message.account.size
    columns = (message.at_ns, message.account, message.book, message.instrument, message.kind, message.amount_micro)
    rows = zip(*(each.tolist() for each in columns), references, strict=True)
    for row, (at_ns, account, book, instrument, kind, amount, reference) in enumerate(rows):
        of_book = kind != CashKind.PAYMENT
        name, of = (message.books[book], message.instruments[instrument]) if of_book else ("", "")
        news.cash.append(Cash(place, row, at_ns, account, name, of, kind, amount, reference))


# ---- signals and what became of them --------------------------------------------------------------------------------


def _targeted(news: News, place: Place, message: TargetSet, body: bytes) -> None:
    instruments = [each.instrument for each in message.quotes]
    news.signals.append(Signal(place, message.decided_at_ns, message.set_version, instruments, body))


def _skipped(news: News, place: Place, message: TargetsSkipped, _: Any) -> None:
    n = message.account.size
    columns = [filled_in(getattr(message, name), n) for name in ("account", "instrument", "reason", "level")]
    news.skips.append(Skips(place, message.set, message.instruments, *columns))


# ---- orders ---------------------------------------------------------------------------------------------------------


def _requested(news: News, place: Place, message: OrdersRequested, _: Any) -> None:
    news.learn(message.terms, place.received_at_ns)
    books = _books(message)
    quotes = {
        terms.id: quote
        for terms, quote in zip(
            message.terms, zip(message.bid_ticks.tolist(), message.ask_ticks.tolist(), strict=True), strict=True
        )
    }
    rows = rows_of(message, "steps", "order_type", "reduce_only")
    for row, (account, instrument, decision, steps, order_type, reduce_only) in enumerate(rows):
        order = news.order((account, instrument, decision))
        order.set = message.set
        order.book = books.get(row, message.set)
        order.steps, order.order_type, order.reduce_only = steps, order_type, bool(reduce_only)
        order.bid_ticks, order.ask_ticks = quotes[instrument]
        order.decided_at_ns = message.decided_at_ns
        order.requested_at_ns, order.requested_number = place.received_at_ns, place.number


def _books(message: OrdersRequested) -> dict[int, str]:
    """Return the book of each order whose shares are listed, "" where there are several."""
    books: dict[int, str] = {}
    n = message.share_order.size
    for order, book in zip(message.share_order.tolist(), filled_in(message.share_book, n), strict=True):
        books[order] = message.books[book] if order not in books else ""
    return books


def _signalled(news: News, message: Any, said_at_ns: int) -> None:
    for account, instrument, decision in rows_of(message):
        news.order((account, instrument, decision)).signalled_at_ns = said_at_ns


def _adopted(news: News, place: Place, message: OrdersAdopted, _: Any) -> None:
    for account, instrument, decision, steps in rows_of(message, "steps"):
        order = news.order((account, instrument, decision))
        order.set = order.book = EXTERNAL
        order.steps, order.order_type, order.reduce_only = steps, 0, False
        order.requested_at_ns = order.unknown_at_ns = place.received_at_ns
        order.is_unknown = True


def _approved(news: News, _: Place, message: OrdersApproved, envelope: Envelope) -> None:
    for account, instrument, decision in rows_of(message):
        order = news.order((account, instrument, decision))
        order.approved_at_ns = order.approved_at_ns or envelope.sent_at_ns


def _sent(news: News, _: Place, message: OrdersSent, __: Any) -> None:
    for account, instrument, decision in rows_of(message):
        news.order((account, instrument, decision)).sent_at_ns = message.at_ns


def _reported(news: News, _: Place, message: OrdersReported, __: Any) -> None:
    """Take the time at which a broker accepted: execution's own event does not carry it."""
    kinds = message.kind.tolist()
    for kind, (account, instrument, decision, at_ns) in zip(kinds, rows_of(message, "at_ns"), strict=True):
        if kind == ReportKind.ACCEPTED and decision and at_ns:
            order = news.order((account, instrument, decision))
            order.accepted_at_ns = order.accepted_at_ns or at_ns


def _accepted(news: News, _: Place, message: OrdersAccepted, __: Any) -> None:
    for account, instrument, decision in rows_of(message):
        news.order((account, instrument, decision)).is_unknown = False


def _unknown(news: News, place: Place, message: OrdersUnknown, _: Any) -> None:
    for account, instrument, decision in rows_of(message):
        order = news.order((account, instrument, decision))
        order.unknown_at_ns = order.unknown_at_ns or place.received_at_ns
        order.is_unknown = True


def _ended(news: News, place: Place, message: OrdersEnded, _: Any) -> None:
    for account, instrument, decision, kind, code in rows_of(message, "kind", "code"):
        order = news.order((account, instrument, decision))
        order.is_unknown = False
        if order.end_kind is None:
            order.ended_at_ns, order.end_kind, order.end_code = place.received_at_ns, kind, code
            order.end_text = message.texts[code - 1] if 0 < code <= len(message.texts) else ""
    for by, kind in (("edge", ReportKind.REFUSED), ("venue", ReportKind.REJECTED)):
        chosen = np.flatnonzero(message.kind == kind)
        if chosen.size:
            _refuse(news, place, by, message, chosen, reason=message.code, texts=message.texts)


def _refused(news: News, place: Place, message: OrdersRefused, _: Any) -> None:
    more = {"level": message.level, "bound": message.bound, "actual": message.actual}
    _refuse(news, place, "risk", message, np.arange(message.account.size), reason=message.reason, texts=[], **more)


def _refuse(
    news: News, place: Place, by: str, message: Any, chosen: Any, *, texts: list[str], **columns: Ints
) -> None:  # fmt: skip
    n = message.account.size
    picked = {
        name: np.array(filled_in(columns.get(name, np.zeros(0, np.int64)), n), np.int64)[chosen].tolist()
        for name in ("reason", "level", "bound", "actual")
    }
    instrument = np.array(filled_in(message.instrument, n), np.int64)[chosen].tolist()
    news.refusals.append(
        Refusals(
            place=place,
            by=by,
            instruments=message.instruments,
            account=message.account[chosen].tolist(),
            instrument=instrument,
            decision=message.decision[chosen].tolist(),
            texts=texts,
            **picked,
        )
    )  # fmt: skip


# ---- fills ----------------------------------------------------------------------------------------------------------


def _filled(news: News, place: Place, message: OrdersFilled, _: Any) -> None:
    splits = _splits(message)
    ids = message.execution_id or [""] * message.account.size
    rows = rows_of(message, "steps", "price_e9", "fee_micro", "filled_at_ns", "amount_micro")
    for row, (account, instrument, decision, steps, price, fee, at_ns, amount) in enumerate(rows):
        order = news.order((account, instrument, decision))
        order.filled_steps += steps
        order.fills += 1
        order.amount_micro += amount
        order.fee_micro += fee
        order.first_fill_ns = order.first_fill_ns or at_ns
        order.last_fill_ns = at_ns
        order.is_unknown = False
        done = 0
        for part, (book, share) in enumerate(splits.get(row) or [(None, steps)]):
            part_amount, part_fee = part_of_fill(amount, fee, done, share, steps)
            done += share
            news.trades.append(
                Trade(
                    place,
                    row,
                    part,
                    FILLED,
                    at_ns,
                    account,
                    instrument,
                    decision,
                    book,
                    share,
                    price,
                    part_amount,
                    part_fee,
                    ids[row],
                )
            )  # fmt: skip


def _splits(message: OrdersFilled) -> Mapping[int, list[tuple[str | None, int]]]:
    splits: dict[int, list[tuple[str | None, int]]] = {}
    n = message.split_fill.size
    columns = (message.split_fill.tolist(), filled_in(message.split_book, n), message.split_steps.tolist())
    for fill, book, steps in zip(*columns, strict=True):
        splits.setdefault(fill, []).append((message.books[book], steps))
    return splits


def part_of_fill(amount: int, fee: int, done: int, part: int, whole: int) -> tuple[int, int]:
    """Return amount and fee of `part` of a fill of `whole` steps of which `done` have had theirs."""
    if part == whole:
        return amount, fee
    before, after, all_of_it = abs(done), abs(done + part), abs(whole)
    return (
        part_of(amount, after, all_of_it) - part_of(amount, before, all_of_it),
        part_of(fee, after, all_of_it) - part_of(fee, before, all_of_it),
    )


def _booked(news: News, place: Place, message: LotsBooked, _: Any) -> None:
    n = message.account.size
    instruments = [message.instruments[at] for at in filled_in(message.instrument, n)]
    books = [message.books[at] for at in filled_in(message.book, n)]
    columns = [filled_in(getattr(message, name), n) for name in ("steps", "price_e9", "amount_micro", "fee_micro")]
    rows = zip(message.account.tolist(), instruments, books, *columns, strict=True)
    for row, (account, instrument, book, steps, price, amount, fee) in enumerate(rows):
        news.trades.append(
            Trade(
                place,
                row,
                0,
                message.kind + 1,
                place.received_at_ns,
                account,
                instrument,
                0,
                book,
                steps,
                price,
                amount,
                fee,
                "",
            )
        )  # fmt: skip


Handler = Callable[[News, Place, Any, Any], None]


def _by_name(handlers: Mapping[type[Message], Handler]) -> Mapping[str, Handler]:
    return {kind.wire_name: handler for kind, handler in handlers.items()}


EVENTS: Mapping[str, Mapping[str, Handler]] = {
    "feeds": _by_name({BarClosed: _closed}),
    "signals": _by_name({TargetSet: _targeted}),
    "edge": _by_name({OrdersSent: _sent}),
    "execution": _by_name(
        {
            AccountOpened: _opened,
            AccountValued: _valued,
            SetConfigured: _configured,
            Subscribed: _subscribed,
            AccountConfigured: _account_configured,
            ManualTargeted: _manual,
            OrdersRequested: _requested,
            OrdersAdopted: _adopted,
            OrdersAccepted: _accepted,
            OrdersFilled: _filled,
            OrdersEnded: _ended,
            OrdersUnknown: _unknown,
            LotsBooked: _booked,
            CashBooked: _cash,
            TargetsSkipped: _skipped,
        }
    ),
}
INPUTS: Mapping[str, Handler] = _by_name(
    {
        OrdersApproved: _approved,
        OrdersRefused: _refused,
        OrdersReported: _reported,
        TargetSet: lambda *_: None,
    }
)
SOURCES = tuple(EVENTS)
