"""What follows from what accounts hold and are worth: stops when they have lost too much, lifted when a period ends."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import astuple

from apps.execution.contracts import AccountOpened, AccountValued, PositionChanged
from apps.risk.contracts import (
    AccountNoted,
    LimitsChanged,
    PositionsNoted,
    RefusalReason,
    StopsLifted,
    TradingState,
    TradingStateChanged,
    ValuesNoted,
)
from apps.risk.kernels.losses import PERIODS, are_possible, find_losses, value
from apps.risk.kernels.reasons import LOSS_REASONS
from apps.risk.kernels.records import AMOUNT_MAX, FLATTEN, LOSSES, STEPS_MAX, STOP_PERIOD
from apps.risk.kernels.reserving import hold, renew_cells
from apps.risk.rows import full, parked, short
from apps.risk.sessions import day_at, is_zone, next_midnight_ns, periods_of
from apps.risk.state import ALL_ACCOUNTS, GLOBAL_LIMITS, RiskState
from banyan.columns import Ints, ints
from banyan.messages import Message, RowsParked, TimerSet
from banyan.records import picked

PERIOD_TIMER = "period"
E9 = 1_000_000_000
_ENDING = (1 << 2 * PERIODS) - 1  # bits of the stops that end with a period


def decide_opened(opened: AccountOpened) -> list[Message]:
    """Let an account trade, or know that its terms have changed."""
    if not -AMOUNT_MAX <= opened.balance_micro <= AMOUNT_MAX or opened.number < 0:
        reason = f"an account with a balance of {opened.balance_micro} or number {opened.number}"
        return [RowsParked(reason=reason, rows=ints([0]), accounts=ints([opened.number]))]
    return [
        AccountNoted(
            account=opened.number,
            time_zone=opened.time_zone if is_zone(opened.time_zone) else "UTC",
            leverage_e9=opened.leverage_e9,
            balance_micro=opened.balance_micro,
            hedging=opened.hedging,
        )
    ]


def note_account(state: RiskState, event: AccountNoted) -> None:
    """Open an account, or change its terms."""
    row = state.account(event.account)
    account = state.accounts.rows[row]
    account.zone = state.zones.of(event.time_zone)
    account.margin_e9 = -(-E9 * E9 // max(event.leverage_e9, E9))
    account.hedging = event.hedging
    state.add_short_cells()
    if not account.opened:
        account.opened = 1
        account.balance = account.equity = event.balance_micro
        state.references.rows[row] = event.balance_micro
    renew_cells(state.book(), np.flatnonzero(state.cells.rows["account"] == row))


def decide_positions(state: RiskState, changed: PositionChanged) -> list[Message]:
    """Note what accounts hold."""
    instrument = full(changed.instrument, changed.account.size)
    steps = full(changed.steps, changed.account.size)
    held_short = full(changed.short_steps, changed.account.size)
    listed = (instrument >= 0) & (instrument < len(changed.instruments))
    known = listed & (state.opened_rows_of(changed.account) >= 0)
    possible = known & (steps <= STEPS_MAX) & (steps >= -STEPS_MAX) & (held_short <= 0) & (held_short >= -STEPS_MAX)
    events: list[Message] = []
    chosen = np.flatnonzero(possible)
    if chosen.size:
        events.append(
            PositionsNoted(
                instruments=changed.instruments,
                account=changed.account[chosen],
                instrument=short(instrument[chosen]),
                steps=short(steps[chosen]),
                short_steps=short(held_short[chosen]),
            )
        )
    bad = np.flatnonzero(~possible)
    if bad.size:
        events += parked(state, "a position that cannot be, or of an account that is not open", bad,
                         changed.account[bad])  # fmt: skip
    return events


def note_positions(state: RiskState, event: PositionsNoted) -> None:
    """Know what accounts hold."""
    cells = state.make_cells(event.instruments, event.account, event.instrument)
    held_short = full(event.short_steps, event.account.size)
    hold(state.book(), cells, full(event.steps, event.account.size) - held_short)
    beside = state.short_beside(cells)
    hold(state.book(), beside[beside >= 0], held_short[beside >= 0])


def decide_valued(state: RiskState, valued: AccountValued) -> list[Message]:
    """Note what accounts are worth, and stop those that have newly lost more than they may."""
    count = valued.account.size
    if not count:
        return []
    values = np.array(
        [
            full(column, count)
            for column in (
                valued.balance_micro, valued.equity_micro, valued.margin_micro, valued.gross_micro, valued.net_micro,
                valued.paid_in_micro,
            )
        ]
    )  # fmt: skip
    rows = state.opened_rows_of(valued.account)
    possible = np.zeros(count, np.int64)
    are_possible(values, possible)
    good = (possible != 0) & (rows >= 0)
    events: list[Message] = []
    chosen = np.flatnonzero(good)
    if chosen.size:
        zones = state.zones.names
        days = ints([day_at(valued.valued_at_ns, zone) for zone in zones])
        columns = values.take(chosen, axis=1)  # by rows, as they came: an index would lay out several by columns
        events.append(
            ValuesNoted(
                zones=list(zones),
                days=days,
                account=valued.account[chosen],
                balance_micro=short(columns[0]),
                equity_micro=short(columns[1]),
                margin_micro=short(columns[2]),
                gross_micro=short(columns[3]),
                net_micro=short(columns[4]),
                paid_in_micro=short(columns[5]),
            )
        )
        events += _stops(state, rows[chosen], columns, days, valued.valued_at_ns)
    bad = np.flatnonzero(~good)
    if bad.size:
        events += parked(state, "values that cannot be, or of an account that is not open", bad, valued.account[bad])
    return events


def note_values(state: RiskState, event: ValuesNoted) -> None:
    """Know what accounts are worth."""
    count = event.account.size
    columns = (
        event.balance_micro, event.equity_micro, event.margin_micro, event.gross_micro, event.net_micro,
        event.paid_in_micro,
    )  # fmt: skip
    now = np.zeros((len(state.zones.names), PERIODS), np.int64)
    now[[state.zones.known(zone) for zone in event.zones]] = periods_of(event.days)
    value(
        state.accounts.rows,
        state.references.rows,
        state.turns.rows,
        state.rows_of(event.account),
        np.array([full(column, count) for column in columns]),
        now,
    )


def stops_under(state: RiskState, changed: LimitsChanged, at_ns: int) -> list[Message]:
    """Return the stops that follow at once from other limits: accounts count as they were valued last."""
    if changed.instrument:
        return []  # no limit of an instrument is one on losses
    limits = np.vstack([state.limits.rows, np.array([astuple(changed.limits)], np.int64)])
    if changed.account == ALL_ACCOUNTS:
        limits[GLOBAL_LIMITS] = limits[-1]
        rows = np.flatnonzero(state.accounts.columns["opened"])
    else:
        rows = state.opened_rows_of(ints([changed.account]))
        rows = rows[rows >= 0]
    if not rows.size:
        return []
    known = state.accounts.columns
    values = np.stack([known[name][rows] for name in ("balance", "equity", "margin", "gross", "net")] + [0 * rows])
    days = ints([day_at(at_ns, zone) for zone in state.zones.names])
    valued = _valued(state, rows, values, days)
    if changed.account != ALL_ACCOUNTS:
        valued.accounts["limits"] = limits.shape[0] - 1
    return _stopped(state, valued, limits, at_ns)


def _stops(state: RiskState, rows: Ints, values: Any, days: Ints, at_ns: int) -> list[Message]:
    """Return the stops that follow when accounts (`rows`) are worth `values`."""
    return _stopped(state, _valued(state, rows, values, days), state.limits.rows, at_ns)


class _Valued(NamedTuple):
    """Records of accounts as they are once they are valued, each once."""

    accounts: Any
    references: Any
    turns: Any


def _valued(state: RiskState, rows: Ints, values: Any, days: Ints) -> _Valued:
    if (rows[1:] > rows[:-1]).all():
        touched, index = rows, np.arange(rows.size)
    else:
        touched, index = np.unique(rows, return_inverse=True)
    accounts = picked(state.accounts.columns, touched)
    references, turns = state.references.rows[touched], state.turns.rows[touched]
    value(accounts, references, turns, index, values, periods_of(days))
    return _Valued(accounts, references, turns)


def _stopped(state: RiskState, valued: _Valued, limits: Any, at_ns: int) -> list[Message]:
    """Return the stops of accounts that have newly lost more than `limits` (rows as in the table of limits) allow."""
    accounts, turns = valued.accounts, valued.turns
    found = np.zeros((3, LOSSES, accounts.size), np.int64)
    find_losses(state.book()._replace(accounts=accounts, references=valued.references, limits=limits), found)
    if not found.any():
        return []
    flattens = _flattens(limits, accounts)
    events: list[Message] = []
    for loss, reason in enumerate(LOSS_REASONS):
        for flatten in (False, True):
            chosen = np.flatnonzero((found[0, loss] != 0) & (flattens == flatten))
            if chosen.size:
                ends = loss < 2 * PERIODS
                events.append(
                    TradingStateChanged(
                        state=TradingState.REDUCING,
                        accounts=accounts["number"][chosen].copy(),
                        reason=RefusalReason(reason).name.lower().replace("_", " "),
                        flatten=flatten,
                        stop=reason,
                        level=short(found[0, loss, chosen] - 1),
                        bound=short(found[1, loss, chosen]),
                        actual=found[2, loss, chosen],
                        period=turns[chosen, loss // 2].copy() if ends else ints(),
                    )
                )
    stopped = (accounts["stops"] & _ENDING != 0) | found[0, : 2 * PERIODS].any(axis=0)
    if found[0, : 2 * PERIODS].any():
        events.append(_timer(state, at_ns, [*_ending_zones(state), *accounts["zone"][stopped].tolist()]))
    return events


def _flattens(limits: Any, accounts: Any) -> Any:
    """Return which accounts are to be flattened when they are stopped."""
    flatten = limits[:, FLATTEN]
    own = np.where(accounts["limits"] >= 0, flatten[accounts["limits"]], -1)
    return np.where(own >= 0, own, flatten[GLOBAL_LIMITS]) > 0


def _ending_zones(state: RiskState) -> list[int]:
    accounts = state.accounts.rows
    zones: list[int] = accounts["zone"][accounts["stops"] & _ENDING != 0].tolist()
    return zones


def _timer(state: RiskState, at_ns: int, zones: Iterable[int]) -> TimerSet:
    due_ns = min(next_midnight_ns(at_ns, state.zones.names[zone]) for zone in set(zones))
    return TimerSet(name=PERIOD_TIMER, due_ns=due_ns)


def stop_accounts(state: RiskState, event: TradingStateChanged) -> None:
    """Stop accounts for what they have lost."""
    loss, count = LOSS_REASONS.index(event.stop), event.accounts.size
    rows = state.rows_of(event.accounts)
    state.accounts.rows["stops"][rows] |= 1 << loss
    columns = (event.level, event.bound, event.actual, event.period)
    state.stops.rows[rows, loss] = np.stack([full(column, count) for column in columns], axis=1)


def decide_period_over(state: RiskState, due_ns: int) -> Sequence[Message]:
    """Lift the stops whose day, week or month is over."""
    return list(_lifted(state, due_ns))


def _lifted(state: RiskState, due_ns: int) -> Iterator[Message]:
    accounts = state.accounts.rows
    rows = np.flatnonzero(accounts["stops"] & _ENDING)
    if not rows.size:
        return
    now = periods_of(ints([day_at(due_ns, zone) for zone in state.zones.names]))
    lifted: list[Any] = []
    remaining: set[int] = set()
    for loss in range(2 * PERIODS):
        stopped = rows[accounts["stops"][rows] & (1 << loss) != 0]
        zones = accounts["zone"][stopped]
        over = now[zones, loss // 2] > state.stops.rows[stopped, loss, STOP_PERIOD]
        remaining.update(zones[~over].tolist())
        lifted += [(number, LOSS_REASONS[loss]) for number in accounts["number"][stopped[over]].tolist()]
    if lifted:
        account, stop = zip(*lifted, strict=True)
        yield StopsLifted(account=ints(account), stop=ints(stop))
    if remaining:
        yield _timer(state, due_ns, remaining)


def lift_stops(state: RiskState, event: StopsLifted) -> None:
    """Let accounts trade again."""
    rows = state.rows_of(event.account)
    for loss, reason in enumerate(LOSS_REASONS):
        state.accounts.rows["stops"][rows[event.stop == reason]] &= ~(1 << loss)
