"""What follows from a target: what books want from here on, who gets no order and why, crosses and orders."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from apps.execution.apart import Wish, apart_lines, cells_ordered, left_to_do, order_apart, without
from apps.execution.book_contracts import BooksTargeted, SkipReason, TargetsSkipped
from apps.execution.crossed import crosses
from apps.execution.kernels.netting import Netted
from apps.execution.kernels.records import FIRST_SET, TARGET_DTYPE, Shard
from apps.execution.kernels.reports import waiting_cells
from apps.execution.kernels.sizing import size_lines
from apps.execution.netted_orders import NO_COLUMN, column, each_once, indexed, net, requests
from apps.execution.state import ShardState
from apps.execution.valued import no_changes
from apps.signals.contracts import TargetSet
from banyan.columns import Ints
from banyan.messages import Message
from trading.money import multiple

SEES_NOT = np.array([SkipReason.FROZEN, SkipReason.NOT_RECONCILED, SkipReason.FLATTENED])
"""Reasons that pass: a target that met one of them is taken up when it has."""
_NO_REASON, _UNCHANGED = int(SkipReason.NONE), int(SkipReason.UNCHANGED)


class _Plan(NamedTuple):
    """What lines `picked` come to: a column each of whether it has a new working quantity, and why it has no order."""

    picked: Ints
    acts: Any
    reasons: Ints
    levels: Ints
    working: Ints  # of all lines
    is_new: Any
    netted: Netted
    wishes: list[Wish]  # of lines that trade apart
    are_netted: set[int]  # those that do not


def target_rows(state: ShardState, target: TargetSet) -> Any:
    """Return a message's targets as TARGET_DTYPE[rows]; instruments that are not known here have -1 as source."""
    book = state.books.known(target.set)
    band = np.nan if target.band_e9 < 0 else target.band_e9 / 1e9
    rows = [(book, *_target_row(state, target, at), band, _volatility(target, at)) for at in range(len(target.quotes))]
    return np.array(rows, TARGET_DTYPE)


def _volatility(target: TargetSet, at: int) -> float:
    told = target.volatility[at] if target.volatility else None
    return np.nan if told is None else told


def _target_row(state: ShardState, target: TargetSet, at: int) -> tuple[float, ...]:
    """Return the fields of TARGET_DTYPE from `source` to `ask`."""
    quote = target.quotes[at]
    source = state.instruments.known(quote.instrument)
    bid = ask = 0.0
    levels = (target.price, target.limit_price, target.stop_loss, target.take_profit, target.trail)
    prices = [np.nan if (level := each[at]) is None else level for each in levels]
    if source >= 0:
        tick = int(state.instrument_rows.columns["tick_e9"][source]) / 1e9
        bid, ask = multiple(float(quote.bid_ticks), tick), multiple(float(quote.ask_ticks), tick)
    return (
        source,
        int(target.version[at]),
        int(target.mode[at]) if target.mode.size else 0,
        target.value[at],
        int(target.entry[at]) if target.entry.size else 0,
        any(each[at] is not None for each in (target.stop_loss, target.take_profit, target.trail)),
        *prices,
        int(target.time_in_force[at]) if target.time_in_force.size else 0,
        int(target.expires_ns[at]) if target.expires_ns.size else 0,
        bid,
        ask,
    )


def quote_instruments(state: ShardState, instruments: Any, target: TargetSet) -> None:
    """Write a message's quotes into INSTRUMENT_DTYPE rows: of what it names, and of what is traded in its place."""
    book = state.books.known(target.set)
    ticks = instruments["tick_e9"]
    decided = len(target.quotes)
    for number, quote in enumerate((*target.quotes, *target.marks) if target.marks else target.quotes):
        row = state.instruments.known(quote.instrument)
        if row < 0 or quote.bid_ticks <= 0 or quote.ask_ticks <= 0:
            continue
        traded = state.lines.columns["instrument"][state.source_lines(book, row)]
        others = traded[traded != row]
        quoted = {row, *np.unique(others).tolist()} if others.size else (row,)
        at_ns = target.decided_at_ns if number < decided else 0
        quote_at(instruments, quoted, int(ticks[row]), (quote.bid_ticks, quote.ask_ticks, at_ns))


def quote_at(instruments: Any, rows: Collection[int], tick_e9: int, quote: tuple[int, int, int]) -> None:
    """Write a quote into INSTRUMENT_DTYPE rows, each in its own ticks: bid and ask in ticks of `tick_e9`, and its time.

    Of a quote whose time nobody knows (0) that of the one before it stays.
    """
    bid_e9, ask_e9 = quote[0] * tick_e9, quote[1] * tick_e9
    for at in rows:
        tick = int(instruments["tick_e9"][at])
        if tick > 0:
            instruments["bid_ticks"][at], instruments["ask_ticks"][at] = bid_e9 // tick, -(-ask_e9 // tick)
            if quote[2]:
                instruments["quoted_at_ns"][at] = quote[2]


def is_followed(state: ShardState, target: TargetSet) -> bool:
    """Tell whether any account follows a set in what a message of it is about."""
    book = state.books.known(target.set)
    sources = [state.instruments.known(quote.instrument) for quote in target.quotes]
    return any(state.lines_by_source.get((book, source)) for source in sources)


def decide_target(state: ShardState, target: TargetSet, at_ns: int) -> list[Message]:
    """Return what a set's new targets give, at event time `at_ns`, for all accounts that follow it."""
    book = state.books.known(target.set)
    if book < FIRST_SET:
        return []
    rows = target_rows(state, target)
    shard = state.shard()
    instruments = state.instrument_rows.columns.copy()
    quote_instruments(state, instruments, target)
    shard = shard._replace(instruments=instruments, rates=state.rates(instruments))
    lists = [state.source_lines(book, int(source)) for source in rows["source"]]
    picked = np.concatenate(lists) if lists else NO_COLUMN
    if not picked.size:
        return [_targeted(target)]
    wanted = np.repeat(np.arange(len(lists)), [each.size for each in lists])
    plan = _plan(state, shard, rows, picked, wanted, np.zeros(0, np.int64))
    events = _told(state, plan, np.arange(picked.size), target.set, target)
    events += crosses(state, shard, plan.netted, at_ns)
    events += requests(state, shard, plan.netted, target.decided_at_ns, set_name=target.set)
    if plan.wishes:
        events += order_apart(state, shard, plan.wishes, cells_ordered(plan.netted), target.decided_at_ns)
    return events


def _targeted(target: TargetSet) -> BooksTargeted:
    """Return that a target is known here, where nobody follows it yet."""
    return BooksTargeted(
        set=target.set, target=target, instruments=[], account=NO_COLUMN, instrument=NO_COLUMN, working_steps=NO_COLUMN
    )


def decide_waiting(state: ShardState, decided_at_ns: int) -> list[Message]:
    """Return what is to be ordered now that nothing is in its way, and what targets say that had to wait."""
    shard = state.shard()
    lines = state.lines.columns
    versions = _versions(state)
    cells = _with_brackets_due(state, waiting_cells(shard, versions))
    events: list[Message] = []
    crossed = no_changes(shard)
    flattened = _is_flattened(state, cells)
    if flattened.any():
        closing = net(state, shard, _netted_wishes(state), cells[flattened], reduces=True)
        events += crosses(state, shard, closing, decided_at_ns, crossed)
        events += requests(state, shard, closing, decided_at_ns, reduce_only=True)
        wishes = left_to_do(state, cells[flattened], closes=True)
        events += order_apart(state, shard, wishes, cells_ordered(closing), decided_at_ns, reduce_only=True)
    cells = cells[~flattened]
    picked = np.flatnonzero(np.isin(lines["cell"], cells) & (versions != lines["seen_version"]))
    pairs = zip(lines["book"][picked].tolist(), lines["source"][picked].tolist(), strict=True)
    wanted = np.array([state.target_of[pair] for pair in pairs], np.int64)
    plan = _plan(state, shard, _at_last_quotes(state), picked, wanted, cells)
    for book in np.unique(lines["book"][picked]):
        chosen = np.flatnonzero(lines["book"][picked] == book)
        events += _told(state, plan, chosen, state.books.names[book], None)
    events += crosses(state, shard, plan.netted, decided_at_ns, crossed)
    events += requests(state, shard, plan.netted, decided_at_ns)
    told = plan.are_netted | {wish.line for wish in plan.wishes}
    wishes = plan.wishes + [wish for wish in left_to_do(state, cells) if wish.line not in told]
    if wishes:
        events += order_apart(state, shard, wishes, cells_ordered(plan.netted), decided_at_ns)
    return events


def _at_last_quotes(state: ShardState) -> Any:
    """Return what targets say, at the last quotes of their instruments: who had to wait is sized by those."""
    rows = state.targets.columns.copy()
    for at in np.flatnonzero((rows["source"] >= 0) & (rows["bid"] > 0.0) & (rows["ask"] > 0.0)).tolist():
        instrument = state.instrument_rows.columns[rows["source"][at]]
        tick = int(instrument["tick_e9"]) / 1e9
        for side in ("bid", "ask"):
            rows[side][at] = multiple(float(instrument[f"{side}_ticks"]), tick)
    return rows


def _with_brackets_due(state: ShardState, cells: Ints) -> Ints:
    """Return cells, and those in which no lots are missing but a bracket that had to wait."""
    if not state.apart.due:
        return cells
    also = state.lines.columns["cell"][sorted(state.apart.due)]
    free = (state.cells.columns["frozen"][also] == 0) & ~_is_flattened(state, also)
    free &= state.accounts.columns["ready"][state.cells.columns["account"][also]] != 0
    return np.union1d(cells, also[free])


def _netted_wishes(state: ShardState) -> Ints:
    """Return what lines want, but for those that trade apart, which want what they have."""
    working = state.lines.columns["working"].copy()
    if state.apart.lines:
        without(state, working, NO_COLUMN, NO_COLUMN)
    return working


def _versions(state: ShardState) -> Ints:
    """Return for each line the version of the target that it follows, or what it has seen where there is none."""
    lines = state.lines.columns
    table = np.full((len(state.books.names), max(1, state.instrument_rows.count)), -1, np.int64)
    targets = state.targets.columns
    table[targets["book"], targets["source"]] = targets["version"]
    versions = table[lines["book"], lines["source"]]
    return np.where(versions < 0, lines["seen_version"], versions)


def _is_flattened(state: ShardState, cells: Ints) -> Any:
    chosen = state.cells.columns[cells]
    return (chosen["flattened"] != 0) | (state.accounts.columns["flattened"][chosen["account"]] != 0)


def _plan(state: ShardState, shard: Shard, rows: Any, picked: Ints, wanted: Ints, more_cells: Ints) -> _Plan:
    """Size lines by their targets, and net their cells and `more_cells`."""
    sized = np.zeros((3, picked.size), np.int64)
    size_lines(shard, rows, picked, wanted, sized)
    working = state.lines.columns["working"].copy()
    is_new = rows["version"][wanted] != state.lines.columns["seen_version"][picked]
    acts = sized[1] == _NO_REASON
    apart = None
    by_mode = apart_lines(state, rows, picked, wanted)
    if by_mode is not None:
        # A version that wants what is held already may still move what protects it; what drifts is left alone.
        apart, stays = by_mode
        may_act = is_new & (acts | (sized[1] == _UNCHANGED))
        acts = np.where(apart, may_act | (acts & ~stays), acts)
        sized[1] = np.where(apart & acts, _NO_REASON, sized[1])
    working[picked[acts]] = sized[0, acts]
    cells = state.lines.columns["cell"][picked[acts]]
    touched = each_once(np.concatenate([cells, more_cells]))
    reasons = sized[1]
    if apart is None:
        netted = net(state, shard, working, touched)
        reasons[acts] = netted.status[np.searchsorted(touched, cells)]
        return _Plan(picked, acts, reasons, sized[2], working, is_new, netted, [], set())
    lines, kept = without(state, working, picked[apart], picked[~apart])
    netted = net(state, shard, working, touched)
    working[lines] = kept
    reasons[acts & ~apart] = netted.status[np.searchsorted(touched, cells[~apart[acts]])]
    wishes = [
        Wish(int(picked[at]), int(working[picked[at]]), rows[wanted[at]], is_new=bool(is_new[at]))
        for at in np.flatnonzero(acts & apart)
    ]
    return _Plan(picked, acts, reasons, sized[2], working, is_new, netted, wishes, set(picked[~apart].tolist()))


def _told(state: ShardState, plan: _Plan, chosen: Ints, set_name: str, target: TargetSet | None) -> list[Message]:
    """Return what the lines `plan.picked[chosen]`, all of one set, want from here on, and which get no order."""
    found, instrument = indexed(state.lines.columns["instrument"][plan.picked])
    names = [state.instruments.names[each] for each in found]
    numbers = state.accounts.columns["number"][state.lines.columns["account"][plan.picked]]
    acts = chosen[plan.acts[chosen]]
    events: list[Message] = [
        BooksTargeted(
            set=set_name,
            target=target,
            instruments=names,
            account=numbers[acts],
            instrument=column(instrument[acts]),
            working_steps=plan.working[plan.picked[acts]],
        )
    ]
    reasons = plan.reasons[chosen]
    skipped = chosen[(reasons != _NO_REASON) & (plan.is_new[chosen] | (reasons != _UNCHANGED))]
    if skipped.size:
        events.append(
            TargetsSkipped(
                set=set_name,
                instruments=names,
                account=numbers[skipped],
                instrument=column(instrument[skipped]),
                reason=plan.reasons[skipped],
                level=column(plan.levels[skipped]),
            )
        )
    return events
