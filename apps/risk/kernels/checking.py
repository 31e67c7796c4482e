"""Whether orders may be sent: all orders of a message in one pass, each after those before it.

A verdict is four numbers: a reason (0: approved), the level of the limit that refused, its bound, and the actual value.
"""

from typing import Any

from apps.risk.kernels import reasons
from apps.risk.kernels.arithmetic import billionths_of, is_above, share_e9
from apps.risk.kernels.levels import account_bound, order_bound, strictest_state
from apps.risk.kernels.rates import count_in_window
from apps.risk.kernels.records import (
    ACCOUNT,
    ACCOUNT_INSTRUMENT,
    AMOUNT_MAX,
    COLLAR,
    GROSS,
    HALTED,
    INSTRUMENT,
    LEVERAGE,
    LIMIT,
    LOSSES,
    MARGIN,
    MINUTE_BUCKET_NS,
    MINUTE_RATE,
    NET,
    NOTIONAL,
    ORDER,
    PER_MINUTE,
    PER_SECOND,
    POSITION,
    PRICE_AGE,
    REDUCING,
    SECOND_BUCKET_NS,
    SECOND_RATE,
    STEPS_MAX,
    STOP,
    STOP_ACTUAL,
    STOP_BOUND,
    STOP_LEVEL,
    STOP_LIMIT,
    Asked,
    Book,
)
from apps.risk.kernels.reserving import add_steps, can_reserve, growth_steps, renew
from trading.compiled import inner_kernel, kernel

NO_QUOTE = -1


@kernel
def check_orders(
    book: Book, asked: Asked, quotes: Any, moment: Any, slots: Any, accounts: Any, cells: Any, verdicts: Any
) -> None:
    """Write the verdict on each order into `verdicts`, int64[4, n]; the book stays as it is.

    `quotes` is QUOTE_DTYPE[k]. `moment` is int64[2]: event time (ns), trading state of all.
    Scratch: `slots` int64[accounts], all -1; `accounts` ACCOUNT_NOW_DTYPE[n]; `cells` CELL_NOW_DTYPE[n], all zeros.
    """
    n_cells = 0
    n_accounts = 0
    for i in range(asked.steps.size):
        verdict = verdicts[:, i]
        row = asked.account[i]
        if not _is_possible(asked, i, quotes):
            _refuse(verdict, reasons.IMPOSSIBLE, ACCOUNT_INSTRUMENT, 0, 0)
            continue
        if row < 0 or book.accounts[row].opened == 0:
            _refuse(verdict, reasons.UNKNOWN_ACCOUNT, ACCOUNT, 0, abs(asked.steps[i]))
            continue
        if slots[row] < 0:
            slots[row] = n_accounts
            _take_account(accounts[n_accounts], book.accounts[row])
            n_accounts += 1
        account = accounts[slots[row]]
        quote = quotes[asked.instrument[i]]
        at = account.first_cell
        while at >= 0 and not (cells[at].instrument == asked.instrument[i] and cells[at].of_short == asked.of_short[i]):
            at = cells[at].next_cell
        if at < 0:
            at = n_cells
            n_cells += 1
            cells[at].of_short = asked.of_short[i]
            _take_cell(book, cells[at], row, quote.instrument, asked.instrument[i])
            _share_decision(cells, account.first_cell, cells[at])
            cells[at].next_cell = account.first_cell
            account.first_cell = at
        cell = cells[at]
        _judge(book, asked, i, (quote, account, cell), moment, verdict)
        if verdict[0] != reasons.DUPLICATE and verdict[0] != reasons.IMPOSSIBLE:
            cell.decision = asked.decision[i]
            if book.accounts[row].hedging:
                _pass_decision(cells, account.first_cell, cell)
        if verdict[0] == reasons.NONE:
            add_steps(cell, asked.steps[i])
            cell.step_value = asked.step_value[i]
            renew(account, cell, max(book.accounts[row].margin_e9, quote.margin_e9))
            account.sent += 1


@inner_kernel
def _refuse(verdict: Any, reason: int, level: int, bound: int, actual: int) -> None:
    verdict[0] = reason
    verdict[1] = level
    verdict[2] = bound
    verdict[3] = actual


@inner_kernel
def _is_possible(asked: Asked, i: int, quotes: Any) -> bool:
    """Return whether an order's numbers are such as an order can have."""
    steps = asked.steps[i]
    if quotes[asked.instrument[i]].possible == 0:
        return False
    if steps == 0 or steps > STEPS_MAX or steps < -STEPS_MAX or asked.decision[i] <= 0:
        return False
    if asked.step_value[i] <= 0 or asked.step_value[i] > AMOUNT_MAX:
        return False
    kind = asked.order_type[i]
    if kind < 0 or kind > STOP_LIMIT:
        return False
    if kind in (LIMIT, STOP_LIMIT) and not 0 < asked.limit_ticks[i] <= STEPS_MAX:
        return False
    return not (kind in (STOP, STOP_LIMIT) and not 0 < asked.stop_ticks[i] <= STEPS_MAX)


@inner_kernel
def _take_account(now: Any, account: Any) -> None:
    now.first_cell = -1
    now.reserved_gross = account.reserved_gross
    now.reserved_long = account.reserved_long
    now.reserved_short = account.reserved_short
    now.reserved_margin = account.reserved_margin


@inner_kernel
def _take_cell(book: Book, now: Any, account: int, instrument: int, index: int) -> None:
    now.instrument = index
    now.row = -1 if instrument < 0 else book.cell_rows[instrument, account]
    if now.row >= 0 and now.of_short:
        now.row = book.cells[now.row].beside
    if now.row >= 0:
        cell = book.cells[now.row]
        now.position = cell.position
        now.long = cell.long
        now.short = cell.short
        now.step_value = cell.step_value
        now.decision = cell.decision
        now.reserved_gross = cell.reserved_gross
        now.reserved_long = cell.reserved_long
        now.reserved_short = cell.reserved_short
        now.reserved_margin = cell.reserved_margin


@inner_kernel
def _share_decision(cells: Any, at: int, taken: Any) -> None:
    """Let a cell that is new in a message know what was judged in the other cell of its instrument."""
    while at >= 0:
        if cells[at].instrument == taken.instrument:
            taken.decision = max(taken.decision, cells[at].decision)
        at = cells[at].next_cell


@inner_kernel
def _pass_decision(cells: Any, at: int, judged: Any) -> None:
    """Let the other cell of an instrument know what was judged in one."""
    while at >= 0:
        if cells[at].instrument == judged.instrument:
            cells[at].decision = judged.decision
        at = cells[at].next_cell


@inner_kernel
def _judge(book: Book, asked: Asked, i: int, of: Any, moment: Any, verdict: Any) -> None:
    """Write the verdict on order `i`: the first limit that it would pass. `of` is its quote, account and cell."""
    quote, account, cell = of
    steps = asked.steps[i]
    if asked.decision[i] <= cell.decision:
        _refuse(verdict, reasons.DUPLICATE, ACCOUNT_INSTRUMENT, cell.decision, asked.decision[i])
        return
    long = cell.long + max(steps, 0)
    short = cell.short + min(steps, 0)
    if not can_reserve(account, cell, long, short, asked.step_value[i]):
        _refuse(verdict, reasons.IMPOSSIBLE, ACCOUNT_INSTRUMENT, 0, 0)
        return
    # By how much orders of this side can make the position smaller, whatever becomes of those that are open.
    room = max(0, -(cell.position + cell.long) if steps > 0 else cell.position + cell.short)
    if asked.reduce_only[i] != 0:
        if abs(steps) > room:
            _refuse(verdict, reasons.NOT_REDUCING, ACCOUNT_INSTRUMENT, room, abs(steps))
        return
    row = asked.account[i]
    of_instrument = 0 if quote.instrument < 0 else book.instruments[quote.instrument].state
    state = strictest_state(moment[1], asked.set_state[i], book.accounts[row].state, of_instrument)
    _judge_state(book, row, state, room, abs(steps), verdict)
    if verdict[0] == reasons.NONE:
        _judge_place(book, row, quote, abs(steps), verdict)
    if verdict[0] == reasons.NONE:
        _judge_price(book, asked, i, of, room, verdict)
    if verdict[0] == reasons.NONE:
        _judge_size(book, asked, i, of, verdict)
    if verdict[0] == reasons.NONE:
        _judge_money(book, asked, i, of, room, verdict)
    if verdict[0] == reasons.NONE:
        _judge_rates(book, row, account.sent, moment[0], verdict)


@inner_kernel
def _judge_state(book: Book, row: int, state: Any, room: int, size: int, verdict: Any) -> None:
    if state[0] >= HALTED:
        _refuse(verdict, reasons.HALTED, state[1], 0, size)
    elif size > room and state[0] == REDUCING:
        _refuse(verdict, reasons.REDUCING, state[1], room, size)
    elif size > room and book.accounts[row].stops != 0:
        for loss in range(LOSSES):
            if book.accounts[row].stops & (1 << loss):
                stop = book.stops[row, loss]
                _refuse(verdict, reasons.LOSS_REASONS[loss], stop[STOP_LEVEL], stop[STOP_BOUND], stop[STOP_ACTUAL])
                return


@inner_kernel
def _judge_place(book: Book, row: int, quote: Any, size: int, verdict: Any) -> None:
    if book.accounts[row].listed and (quote.instrument < 0 or not book.allowed[quote.instrument, row]):
        _refuse(verdict, reasons.NOT_ALLOWED, ACCOUNT, 0, size)
    elif not quote.open:
        _refuse(verdict, reasons.SESSION_CLOSED, INSTRUMENT, 0, quote.minute)


@inner_kernel
def _bound(book: Book, field: int, row: int, of: Any) -> tuple[int, int]:
    quote, _, cell = of
    of_instrument = -1 if quote.instrument < 0 else book.instruments[quote.instrument].limits
    of_cell = -1 if cell.row < 0 else book.cells[cell.row].limits
    return order_bound(book.limits, field, book.accounts[row].limits, of_instrument, of_cell)


@inner_kernel
def _judge_price(book: Book, asked: Asked, i: int, of: Any, room: int, verdict: Any) -> None:
    bound, level = _bound(book, PRICE_AGE, asked.account[i], of)
    if 0 <= bound < of[0].age_ns and abs(asked.steps[i]) > room:
        _refuse(verdict, reasons.STALE_PRICE, level, bound, of[0].age_ns)
        return
    kind = asked.order_type[i]
    bound, level = _bound(book, COLLAR, asked.account[i], of)
    if bound < 0 or kind == 0:
        return
    quoted = of[0].ask_ticks if asked.steps[i] > 0 else of[0].bid_ticks
    if quoted <= 0:
        _refuse(verdict, reasons.PRICE_COLLAR, level, bound, NO_QUOTE)
        return
    away = 0
    if kind in (LIMIT, STOP_LIMIT):
        away = abs(asked.limit_ticks[i] - quoted)
    if kind in (STOP, STOP_LIMIT):
        away = max(away, abs(asked.stop_ticks[i] - quoted))
    if is_above(away, bound, quoted):
        _refuse(verdict, reasons.PRICE_COLLAR, level, bound, share_e9(away, quoted))


@inner_kernel
def _judge_size(book: Book, asked: Asked, i: int, of: Any, verdict: Any) -> None:
    row, steps, cell = asked.account[i], asked.steps[i], of[2]
    bound, level = _bound(book, ORDER, row, of)
    if 0 <= bound < abs(steps):
        _refuse(verdict, reasons.MAX_ORDER, level, bound, abs(steps))
        return
    bound, level = _bound(book, NOTIONAL, row, of)
    notional = abs(steps) * asked.step_value[i]
    if 0 <= bound < notional:
        _refuse(verdict, reasons.MAX_NOTIONAL, level, bound, notional)
        return
    bound, level = _bound(book, POSITION, row, of)
    position = cell.position + cell.long + steps if steps > 0 else -(cell.position + cell.short + steps)
    if 0 <= bound < position:
        _refuse(verdict, reasons.MAX_POSITION, level, bound, position)


@inner_kernel
def _judge_money(book: Book, asked: Asked, i: int, of: Any, room: int, verdict: Any) -> None:
    """Judge what the account would be exposed to if the worst of its open orders were filled, and this one."""
    quote, now, cell = of
    row, steps, value = asked.account[i], asked.steps[i], asked.step_value[i]
    account = book.accounts[row]
    if account.equity <= 0 and abs(steps) > room:
        _refuse(verdict, reasons.NO_EQUITY, ACCOUNT, 0, account.equity)
        return
    before = growth_steps(cell.position, cell.long, cell.short)
    growth = growth_steps(cell.position, cell.long + max(steps, 0), cell.short + min(steps, 0))
    gross = account.gross + now.reserved_gross - cell.reserved_gross + growth * value
    bound, level = account_bound(book.limits, GROSS, account.limits)
    if growth > before and 0 <= bound < gross:
        _refuse(verdict, reasons.GROSS_EXPOSURE, level, bound, gross)
        return
    if steps > 0:
        net = account.net + now.reserved_long - cell.reserved_long + (cell.long + steps) * value
    else:
        net = -(account.net + now.reserved_short - cell.reserved_short + (cell.short + steps) * value)
    bound, level = account_bound(book.limits, NET, account.limits)
    if 0 <= bound < net:
        _refuse(verdict, reasons.NET_EXPOSURE, level, bound, net)
        return
    if growth <= before or account.equity <= 0:
        return
    bound, level = account_bound(book.limits, LEVERAGE, account.limits)
    if bound >= 0 and is_above(gross, bound, account.equity):
        _refuse(verdict, reasons.LEVERAGE, level, bound, share_e9(gross, account.equity))
        return
    rate_e9 = max(account.margin_e9, quote.margin_e9)
    margin = account.margin + now.reserved_margin - cell.reserved_margin + billionths_of(growth * value, rate_e9)
    bound, level = account_bound(book.limits, MARGIN, account.limits)
    if bound >= 0 and is_above(margin, bound, account.equity):
        _refuse(verdict, reasons.MARGIN, level, bound, share_e9(margin, account.equity))


@inner_kernel
def _judge_rates(book: Book, row: int, sent: int, at_ns: int, verdict: Any) -> None:
    """Judge how many orders there were in the last second and minute, `sent` of this message among them."""
    limits = book.accounts[row].limits
    bound, level = account_bound(book.limits, PER_SECOND, limits)
    if bound >= 0:
        count = count_in_window(book.rates[row], SECOND_RATE, at_ns // SECOND_BUCKET_NS) + sent + 1
        if count > bound:
            _refuse(verdict, reasons.ORDERS_PER_SECOND, level, bound, count)
            return
    bound, level = account_bound(book.limits, PER_MINUTE, limits)
    if bound >= 0:
        count = count_in_window(book.rates[row], MINUTE_RATE, at_ns // MINUTE_BUCKET_NS) + sent + 1
        if count > bound:
            _refuse(verdict, reasons.ORDERS_PER_MINUTE, level, bound, count)
