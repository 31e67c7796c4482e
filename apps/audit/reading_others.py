"""Facts from risk's log, from the edge's ledger and from the paper broker's."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from apps.audit.facts import Facts, Held, Order, Placed, Sent, Trade
from apps.execution.contracts import EdgeRefusal, OrdersReported, ReportKind, order_pair
from apps.execution.edge.entries import Adopted, Line, Slice
from apps.execution.evolving import full
from apps.execution.growing import ID_BYTES
from apps.execution.kernels.paper import REJECTED, REPORT_FILLED, WORKING
from apps.execution.packed import unpack
from apps.execution.paper.book import Book
from apps.risk.contracts import OrdersApproved
from apps.risk.state import RiskState
from banyan.messages import Message

_NOT_ITS_OWN = (EdgeRefusal.DECISION_PASSED, EdgeRefusal.GATED)
"""Refusals that answer an order that came again: they say nothing of the first."""


def read_risk(facts: Facts, events: Iterable[Message]) -> None:
    """Add what a record of risk's log has approved."""
    for event in events:
        if isinstance(event, OrdersApproved):
            rows: Any = zip(
                event.account.tolist(), full(event.instrument, event.account).tolist(), event.decision.tolist(),
                event.steps.tolist(), strict=True,
            )  # fmt: skip
            for account, at, decision, steps in rows:
                facts.approved[Order(account, event.instruments[at], decision)] = steps


def read_risk_state(facts: Facts, state: RiskState) -> None:
    """Add what risk reserves, and what it takes accounts to hold."""
    cells, numbers = state.cells.rows, state.accounts.rows["number"]
    for row in state.open_orders():
        cell = cells[row["cell"]]
        name = state.instrument_names.names[int(cell.instrument)]
        facts.reserved[Order(int(numbers[cell.account]), name, int(row["decision"]))] = int(row["left"])
    for cell in cells:
        if cell.position:
            key = int(numbers[cell.account]), state.instrument_names.names[int(cell.instrument)]
            facts.held.setdefault(key, Held()).at_risk += int(cell.position)


def read_line(facts: Facts, line: Line) -> None:
    """Add what a line of the edge's ledger says."""
    match line.what:
        case Slice() as slice_:
            _slice(facts, slice_, line.at_ns)
        case Adopted() as adopted:
            named = zip(adopted.accounts, adopted.instruments, adopted.decisions, strict=True)
            facts.recalled.update(Order(*each) for each in named)
        case OrdersReported() as reported:
            instrument, code = full(reported.instrument, reported.account), full(reported.code, reported.account)
            for at, kind in enumerate(reported.kind.tolist()):
                name = reported.instruments[int(instrument[at])]
                order = Order(int(reported.account[at]), name, int(reported.decision[at]))
                if kind == ReportKind.NEVER_ARRIVED:
                    facts.never_arrived.add(order)
                elif kind == ReportKind.REFUSED and code[at] not in _NOT_ITS_OWN:
                    facts.unwritten.add(order)


def _slice(facts: Facts, slice_: Slice, at_ns: int) -> None:
    columns = [unpack(getattr(slice_, name), slice_.rows).tolist() for name in _COLUMNS]
    for account, at, decision, steps, code, reduce_only in zip(*columns, strict=True):
        order = Order(account, slice_.terms[at].id, decision)
        row = Sent(order, steps, at_ns, slice_.deadline_ns, code, bool(reduce_only), slice_.is_queried)
        facts.sent.append(row)


_COLUMNS = ("account", "instrument", "decision", "steps", "code", "reduce_only")


def read_broker(facts: Facts, book: Book, numbers: set[int]) -> None:
    """Add what the paper broker's ledger says of accounts. What the edge says of orders must have been read before."""
    names = [each.id for each in book.terms]
    accounts = book.accounts.rows
    is_theirs = np.isin(accounts["number"], list(numbers))
    theirs = np.flatnonzero(is_theirs[book.orders.rows["account"]])
    orders = book.orders.rows[theirs]
    columns = [orders[name].tolist() for name in ("instrument", "steps", "filled", "arrived", "status")]
    ids = [each.decode() for each in book.ids.ids[theirs].tolist()]
    owners = accounts["number"][orders["account"]].tolist()
    named: dict[int, Order | None] = {}
    name = names_of(facts, names)
    rows = zip(theirs.tolist(), ids, owners, *columns, strict=True)
    for at, client_id, number, instrument, steps, filled, arrived, status in rows:
        named[at] = order = name(client_id, number, instrument)
        is_rejected, is_working = status == REJECTED, status == WORKING
        facts.placed.append(Placed(order, client_id, number, steps, filled, arrived, is_rejected, is_working))
    reports = book.reports.rows
    fills = reports[reports["kind"] == REPORT_FILLED]
    fills = fills[is_theirs[book.orders.rows["account"][fills["order"]]]]
    of = book.orders.rows[fills["order"]]
    trades = zip(
        fills["order"].tolist(), accounts["number"][of["account"]].tolist(), of["instrument"].tolist(),
        fills["steps"].tolist(), strict=True,
    )  # fmt: skip
    facts.trades += [Trade(named[at], number, names[place], steps) for at, number, place, steps in trades]
    positions = book.positions()[: len(names), : accounts.size]
    for instrument, slot in zip(*np.nonzero(positions * is_theirs), strict=True):
        key = int(accounts["number"][slot]), names[int(instrument)]
        facts.held.setdefault(key, Held()).at_broker = int(positions[instrument, slot])
    for number, cash in zip(accounts["number"].tolist(), accounts["cash_micro"].tolist(), strict=True):
        if number in numbers and number in facts.cash:
            facts.cash[number].at_broker = int(cash)


def names_of(facts: Facts, instruments: list[str]) -> Callable[[str, int, int], Order | None]:
    """Return what tells which order an id at the broker names, None where it is none of ours for its account."""
    pairs: dict[tuple[int, int], str] = {}

    def name(client_id: str, number: int, instrument: int) -> Order | None:
        pair = number, instrument
        if pair not in pairs:
            known = facts.accounts.get(number)
            pairs[pair] = f"{order_pair(known.id, instruments[instrument]):016x}" if known is not None else ""
        if len(client_id) != ID_BYTES or not pairs[pair] or client_id[:16] != pairs[pair]:
            return None
        return Order(number, instruments[instrument], int(client_id[16:], 16)) if set(client_id) <= _HEX else None

    return name


_HEX = set("0123456789abcdef")
