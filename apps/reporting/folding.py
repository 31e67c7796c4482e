"""From the records of logs to news: pure functions of the messages that the contexts publish.

What becomes of an order is read from execution's log alone, in whose records the words of signals, risk and edge stand
as inputs: so an account's events have one order, and whoever reads them again gets the same.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from apps.execution.book_contracts import (
    EXTERNAL,
    MANUAL,
    AccountConfigured,
    CommandRefused,
    LotsBooked,
    ManualTargeted,
    OrdersAdopted,
    SetConfigured,
    SettingLevel,
    SkipReason,
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
    PlaceManualOrder,
    ReportKind,
)
from apps.feeds.contracts import BarClosed, FeedStale, GapDetected, RecordQuarantined
from apps.reporting.accounting import parts_of_fills, unique_rows
from apps.reporting.columns import full, names_of
from apps.reporting.news import (
    NOBODY,
    Cash,
    Changes,
    Close,
    FeedEvent,
    News,
    Place,
    Quotes,
    Refusals,
    Said,
    Setting,
    Signal,
    Skips,
    Trades,
    Unmet,
    Values,
)
from apps.reporting.states import state_changed
from apps.reporting.written import joined
from apps.risk.contracts import OrdersApproved, OrdersRefused, TradingStateChanged
from apps.signals.contracts import TargetSet
from banyan.codec import Envelope, decode_envelope, decode_message, encode_message
from banyan.columns import Ints, ints
from banyan.host.delivery import split_events
from banyan.messages import Message
from banyan.store import Step

FILLED = 0
DAY_NS = 86_400 * 10**9
_BY_HAND = PlaceManualOrder.wire_name.split(".")[1]


def fold(news: News, source: str, step: Step) -> None:
    """Add what a record of `source`'s log tells."""
    events = EVENTS.get(source, {})
    skips, orders, unmet = len(news.skips), len(news.orders), len(news.unmet)
    for index, (name, body) in enumerate(split_events(step.events)):
        if name in events:
            place = Place(step.key, step.number, index, step.received_at_ns)
            events[name](news, place, decode_message(name, body), body)
    if source == "execution":
        _fold_input(news, step, skips)
        _fold_changes(news, step, orders)
        if len(news.unmet) > unmet:
            command = decode_envelope(step.header).id
            news.unmet[unmet:] = [each._replace(command_id=command) for each in news.unmet[unmet:]]


def _fold_input(news: News, step: Step, skips: int) -> None:
    """Add what a record's input tells; `skips` is how many were known before it."""
    envelope = decode_envelope(step.header)
    if envelope.name not in INPUTS:
        return
    place = Place(step.key, step.number, -1, step.received_at_ns)
    INPUTS[envelope.name](news, place, decode_message(envelope.name, step.body), envelope)
    if envelope.name == TargetSet.wire_name:
        for name, body in split_events(step.events):
            if name == OrdersRequested.wire_name:
                _signalled(news, decode_message(name, body), envelope.sent_at_ns)
        news.skips[skips:] = [each._replace(signalled_at_ns=envelope.sent_at_ns) for each in news.skips[skips:]]


def _fold_changes(news: News, step: Step, first: int) -> None:
    """Add of which orders a record has said something: what was said of orders from `first` on."""
    said = news.orders[first:]
    if not said:
        return
    columns = (joined([getattr(each, name) for each in said]) for name in ("account", "instrument", "decision"))
    (account, instrument, decision), _ = unique_rows(*columns)
    numbers, index = np.unique(instrument, return_inverse=True)
    names = [news.names.texts[each] for each in numbers.tolist()]
    rank = np.argsort(np.argsort(names))  # numbers of texts depend on what was read before, their order does not
    index = rank[index.reshape(-1)]
    order = np.lexsort((decision, index, account))
    place = Place(step.key, step.number, -1, step.received_at_ns)
    news.changes.append(Changes(place, sorted(names), account[order], index[order], decision[order]))


def utc_text(at_ns: int) -> str:
    """Return a time in UTC, to the second."""
    return f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}"


# ---- accounts and prices --------------------------------------------------------------------------------------------


def _opened(news: News, place: Place, message: AccountOpened, _: Any) -> None:
    news.accounts[message.number] = message, place.received_at_ns


def _valued(news: News, _: Place, message: AccountValued, __: Any) -> None:
    columns = (message.account, message.balance_micro, message.equity_micro, message.margin_micro)
    news.values.append(Values(message.valued_at_ns, *columns))


def _configured(news: News, place: Place, message: SetConfigured, _: Any) -> None:
    settings = message.settings
    news.learn((*settings.terms, *settings.conversions), place.received_at_ns)
    news.settings.append(Setting(place, SettingLevel.SET, settings.set, None, encode_message(settings)))


def _subscribed(news: News, place: Place, message: Subscribed, _: Any) -> None:
    settings = message.settings
    news.learn(settings.symbol_terms, place.received_at_ns)
    body = encode_message(settings)
    news.settings.append(Setting(place, SettingLevel.SUBSCRIPTION, settings.set, settings.account, body))


def _account_configured(news: News, place: Place, message: AccountConfigured, _: Any) -> None:
    settings = message.settings
    news.settings.append(Setting(place, SettingLevel.ACCOUNT, "", settings.account, encode_message(settings)))


def _manual(news: News, place: Place, message: ManualTargeted, _: Any) -> None:
    news.learn([message.terms], place.received_at_ns)


def _closed(news: News, place: Place, message: BarClosed, _: Any) -> None:
    bids, asks = message.bid_close.tolist(), message.ask_close.tolist()
    columns = message.instruments, message.bid_close, message.ask_close
    news.quotes.append(Quotes(place, message.closed_at_ns, *columns))
    day = message.closed_at_ns // DAY_NS
    for instrument, bid, ask in zip(message.instruments, bids, asks, strict=True):
        known = news.closes.get((instrument, day))
        if known is None or message.closed_at_ns >= known.closed_at_ns:
            news.closes[instrument, day] = Close(message.closed_at_ns, bid, ask)


def _gap(news: News, place: Place, message: GapDetected, _: Any) -> None:
    detail = f"from {utc_text(message.after_ns)} to {utc_text(message.before_ns)}"
    news.feed_events.append(FeedEvent(place, "gap", message.instrument, detail))


def _quarantined(news: News, place: Place, message: RecordQuarantined, _: Any) -> None:
    several = f" ({message.count:,} such)" if message.count > 1 else ""
    detail = f"{message.reason}{several}: {message.record}"
    news.feed_events.append(FeedEvent(place, "quarantined", message.instrument, detail))


def _stale(news: News, place: Place, message: FeedStale, _: Any) -> None:
    since = utc_text(message.last_tick_ns) if message.last_tick_ns else "it began"
    what, detail = ("stale", f"nothing has come since {since}") if message.is_stale else ("back", "")
    news.feed_events.append(FeedEvent(place, what, "", detail))


def _cash(news: News, place: Place, message: CashBooked, _: Any) -> None:
    is_of_book = message.kind != CashKind.PAYMENT
    nobody = news.names.number("")
    book, instrument = (
        np.where(is_of_book, news.names.numbers(["", *names])[np.where(is_of_book, index + 1, 0)], nobody)
        for names, index in ((message.books, message.book), (message.instruments, message.instrument))
    )
    columns = message.at_ns, message.account, book, instrument, message.kind, message.amount_micro
    news.cash.append(Cash(place, *columns, message.reference))


# ---- signals and what became of them --------------------------------------------------------------------------------


def _targeted(news: News, place: Place, message: TargetSet, body: bytes) -> None:
    instruments = [each.instrument for each in message.quotes]
    news.signals.append(Signal(place, message.decided_at_ns, message.set_version, instruments, body))


def _skipped(news: News, place: Place, message: TargetsSkipped, _: Any) -> None:
    n = message.account.size
    account, instrument, reason, level = (
        full(getattr(message, name), n) for name in ("account", "instrument", "reason", "level")
    )
    news.skips.append(Skips(place, message.set, message.instruments, account, instrument, reason, level))
    if message.set == MANUAL:
        skipped = zip(account.tolist(), reason.tolist(), strict=True)
        news.unmet += [Unmet(place, _BY_HAND, number, "", why) for number, why in skipped]


def _command_refused(news: News, place: Place, message: CommandRefused, _: Any) -> None:
    account = message.account if message.account >= 0 else None
    news.unmet.append(Unmet(place, message.command, account, message.reason, SkipReason.NONE))


# ---- orders ---------------------------------------------------------------------------------------------------------


def _say(news: News, message: Any, **columns: Ints | int) -> None:
    """Add what is said of the orders of a message."""
    if message.account.size:
        index = full(message.instrument, message.account.size)
        instrument = news.names.numbers(names_of(message))[index]
        news.orders.append(Said(message.account, instrument, message.decision, columns))


def _say_some(news: News, message: Any, chosen: Ints, **columns: Ints | int) -> None:
    """Add what is said of those rows of a message alone."""
    if chosen.size:
        index = full(message.instrument, message.account.size)[chosen]
        instrument = news.names.numbers(names_of(message))[index]
        news.orders.append(Said(message.account[chosen], instrument, message.decision[chosen], columns))


def _requested(news: News, place: Place, message: OrdersRequested, _: Any) -> None:
    news.learn(message.terms, place.received_at_ns)
    n = message.account.size
    index = full(message.instrument, n)
    _say(
        news, message,
        set=news.names.number(message.set),
        book=_books(news, message),
        steps=message.steps,
        order_type=full(message.order_type, n),
        reduce_only=full(message.reduce_only, n),
        bid_ticks=message.bid_ticks[index],
        ask_ticks=message.ask_ticks[index],
        decided_at_ns=message.decided_at_ns,
        requested_at_ns=place.received_at_ns,
        requested_number=place.number,
    )  # fmt: skip


def _books(news: News, message: OrdersRequested) -> Ints:
    """Return the book of each order, "" where shares of several are listed."""
    books = np.full(message.account.size, news.names.number(message.set))
    if message.share_order.size:
        orders, first, count = np.unique(message.share_order, return_index=True, return_counts=True)
        theirs = news.names.numbers(message.books)[full(message.share_book, message.share_order.size)[first]]
        books[orders] = np.where(count > 1, news.names.number(""), theirs)
    return books


def _signalled(news: News, message: Any, said_at_ns: int) -> None:
    _say(news, message, signalled_at_ns=said_at_ns)


def _adopted(news: News, place: Place, message: OrdersAdopted, _: Any) -> None:
    external, at_ns = news.names.number(EXTERNAL), place.received_at_ns
    _say(
        news, message, set=external, book=external, steps=message.steps, order_type=0, reduce_only=0,
        requested_at_ns=at_ns, unknown_at_ns=at_ns, is_unknown=1,
    )  # fmt: skip


def _approved(news: News, _: Place, message: OrdersApproved, envelope: Envelope) -> None:
    _say(news, message, approved_at_ns=envelope.sent_at_ns)


def _sent(news: News, _: Place, message: OrdersSent, __: Any) -> None:
    _say(news, message, sent_at_ns=message.at_ns)


def _reported(news: News, _: Place, message: OrdersReported, __: Any) -> None:
    """Take when a broker accepted, and what came of what people have said: execution's own events do not carry it."""
    at_ns = full(message.at_ns, message.account.size)
    chosen = np.flatnonzero((message.kind == ReportKind.ACCEPTED) & (message.decision != 0) & (at_ns != 0))
    _say_some(news, message, chosen, accepted_at_ns=at_ns[chosen])
    answered = [row for row, answer in enumerate(message.answers) if answer]
    if answered:
        answers = news.names.numbers(message.answers[row] for row in answered)
        _say_some(news, message, ints(answered), answered_at_ns=at_ns[answered], answer=answers)


def _accepted(news: News, _: Place, message: OrdersAccepted, __: Any) -> None:
    _say(news, message, is_unknown=0)


def _unknown(news: News, place: Place, message: OrdersUnknown, _: Any) -> None:
    _say(news, message, unknown_at_ns=place.received_at_ns, is_unknown=1)


def _ended(news: News, place: Place, message: OrdersEnded, _: Any) -> None:
    code = full(message.code, message.account.size)
    is_told = (code > 0) & (code <= len(message.texts))
    texts = news.names.numbers(["", *message.texts])[np.where(is_told, code, 0)]
    _say(
        news, message, is_unknown=0, ended_at_ns=place.received_at_ns, end_kind=message.kind, end_code=code,
        end_text=texts,
    )  # fmt: skip
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
        name: full(columns.get(name, np.zeros(0, np.int64)), n)[chosen]
        for name in ("reason", "level", "bound", "actual")
    }
    news.refusals.append(
        Refusals(
            place=place,
            by=by,
            instruments=message.instruments,
            account=message.account[chosen],
            instrument=full(message.instrument, n)[chosen],
            decision=message.decision[chosen],
            texts=texts,
            **picked,
        )
    )  # fmt: skip


# ---- fills ----------------------------------------------------------------------------------------------------------


def _filled(news: News, place: Place, message: OrdersFilled, _: Any) -> None:
    n = message.account.size
    if not n:
        return
    amount, fee = full(message.amount_micro, n), full(message.fee_micro, n)
    _say(
        news, message, filled_steps=message.steps, fills=1, amount_micro=amount, fee_micro=fee,
        first_fill_ns=message.filled_at_ns, last_fill_ns=message.filled_at_ns, is_unknown=0,
    )  # fmt: skip
    row, book, steps = _parts(news, message)
    part, amounts, fees = parts_of_fills(amount, fee, row, steps, message.steps)
    news.trades.append(
        Trades(
            place, row, part, FILLED, message.filled_at_ns[row], message.account[row],
            news.orders[-1].instrument[row], message.decision[row], book, steps, message.price_e9[row], amounts, fees,
            message.execution_id, len(news.orders) - 1,
        )
    )  # fmt: skip


def _parts(news: News, message: OrdersFilled) -> tuple[Ints, Ints, Ints]:
    """Return row, book and steps of the parts of fills, in the order of the fills."""
    rows = np.arange(message.account.size)
    if not message.split_fill.size:
        return rows, np.full(rows.size, NOBODY), message.steps
    whole = np.setdiff1d(rows, message.split_fill)
    books = news.names.numbers(message.books)[full(message.split_book, message.split_fill.size)]
    row = np.concatenate([whole, message.split_fill])
    book = np.concatenate([np.full(whole.size, NOBODY), books])
    steps = np.concatenate([message.steps[whole], message.split_steps])
    order = np.argsort(row, kind="stable")
    return row[order], book[order], steps[order]


def _booked(news: News, place: Place, message: LotsBooked, _: Any) -> None:
    n = message.account.size
    if not n:
        return
    nothing = np.zeros(n, np.int64)
    instrument = news.names.numbers(message.instruments)[full(message.instrument, n)]
    book = news.names.numbers(message.books)[full(message.book, n)]
    at_ns = np.full(n, place.received_at_ns)
    news.trades.append(
        Trades(
            place, np.arange(n), nothing, message.kind + 1, at_ns, message.account, instrument, nothing, book,
            full(message.steps, n), full(message.price_e9, n), full(message.amount_micro, n),
            full(message.fee_micro, n), [], NOBODY,
        )
    )  # fmt: skip


Handler = Callable[[News, Place, Any, Any], None]


def _by_name(handlers: Mapping[type[Message], Handler]) -> Mapping[str, Handler]:
    return {kind.wire_name: handler for kind, handler in handlers.items()}


EVENTS: Mapping[str, Mapping[str, Handler]] = {
    "feeds": _by_name({BarClosed: _closed, GapDetected: _gap, RecordQuarantined: _quarantined, FeedStale: _stale}),
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
            CommandRefused: _command_refused,
        }
    ),
}
INPUTS: Mapping[str, Handler] = _by_name(
    {
        OrdersApproved: _approved,
        OrdersRefused: _refused,
        OrdersReported: _reported,
        TargetSet: lambda *_: None,
        TradingStateChanged: state_changed,
    }
)
SOURCES = tuple(EVENTS)
