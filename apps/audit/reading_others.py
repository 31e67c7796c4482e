"""Facts from risk's log, from the edge's ledger and from the paper broker's."""

from typing import Any

import numpy as np

from apps.audit.facts import NOBODYS, Facts
from apps.audit.reading_execution import orders_of
from apps.execution.contracts import EdgeRefusal, OrdersReported, ReportKind, order_pair
from apps.execution.edge.entries import Adopted, Line, Slice
from apps.execution.evolving import full
from apps.execution.growing import ID_BYTES
from apps.execution.kernels.paper import REJECTED, REPORT_FILLED, WORKING
from apps.execution.packed import unpack
from apps.execution.paper.book import Book
from apps.risk.contracts import OrdersApproved
from apps.risk.state import RiskState
from banyan.columns import Ints, ints
from banyan.messages import Message

_NOT_ITS_OWN = (EdgeRefusal.DECISION_PASSED, EdgeRefusal.GATED)
"""Refusals that answer an order that came again: they say nothing of the first."""


def read_risk(facts: Facts, event: Message) -> None:
    """Add what an event of risk's log has approved."""
    if isinstance(event, OrdersApproved):
        facts.approved.add(**orders_of(facts, event.instruments, event), steps=event.steps)


def read_risk_state(facts: Facts, state: RiskState) -> None:
    """Add what risk reserves, and what it takes accounts to hold."""
    cells, numbers = state.cells.rows, state.accounts.rows["number"]
    names = facts.numbers(state.instrument_names.names)
    if len(cells):
        place = {"account": numbers[cells["account"]], "instrument": names[cells["instrument"]]}
        facts.held.add(**place, at_risk=cells["position"])
    orders = state.open_orders()
    if len(orders):
        cell = cells[orders["cell"]]
        facts.reserved.add(
            account=numbers[cell["account"]],
            instrument=names[cell["instrument"]],
            decision=orders["decision"],
            left=orders["left"],
        )


def read_line(facts: Facts, line: Line) -> None:
    """Add what a line of the edge's ledger says."""
    match line.what:
        case Slice() as slice_:
            columns = {name: unpack(getattr(slice_, name), slice_.rows) for name in _COLUMNS}
            columns["instrument"] = facts.numbers([each.id for each in slice_.terms])[columns["instrument"]]
            about = {"deadline_ns": slice_.deadline_ns, "is_queried": int(slice_.is_queried)}
            facts.sent.add(**columns, at_ns=line.at_ns, **about)
        case Adopted() as adopted:
            columns = {"account": ints(adopted.accounts), "decision": ints(adopted.decisions)}
            facts.recalled.add(**columns, instrument=facts.numbers(adopted.instruments))
        case OrdersReported() as reported:
            kind, code = reported.kind, full(reported.code, reported.account)
            is_refused = (kind == ReportKind.REFUSED) & ~np.isin(code, _NOT_ITS_OWN)
            for table, chosen in (
                (facts.never_arrived, kind == ReportKind.NEVER_ARRIVED),
                (facts.unwritten, is_refused),
            ):
                if chosen.any():
                    table.add(**orders_of(facts, reported.instruments, reported, chosen))


_COLUMNS = ("account", "instrument", "decision", "steps", "code", "reduce_only")


def read_broker(facts: Facts, book: Book, numbers: set[int]) -> None:
    """Add what the paper broker's ledger says of accounts. What execution says of them must have been read before."""
    names = [each.id for each in book.terms]
    accounts = book.accounts.rows
    is_theirs = np.isin(accounts["number"], list(numbers))
    theirs = np.flatnonzero(is_theirs[book.orders.rows["account"]])
    orders = book.orders.rows[theirs]
    owners = accounts["number"][orders["account"]].astype(np.int64)
    instrument = facts.numbers(names)[orders["instrument"]] if names else ints()
    decision = decisions_of(facts, np.asarray(book.ids.ids)[theirs], owners, instrument)
    facts.placed.add(
        account=owners, instrument=instrument, decision=decision, steps=orders["steps"], filled=orders["filled"],
        at_ns=orders["arrived"], is_rejected=orders["status"] == REJECTED, is_working=orders["status"] == WORKING,
    )  # fmt: skip
    reports = book.reports.rows
    fills = reports[reports["kind"] == REPORT_FILLED]
    fills = fills[is_theirs[book.orders.rows["account"][fills["order"]]]]
    at = np.searchsorted(theirs, fills["order"])
    facts.trades.add(
        account=owners[at], instrument=instrument[at], decision=decision[at], of_account=owners[at],
        of_instrument=instrument[at], steps=fills["steps"],
    )  # fmt: skip
    positions = book.positions()[: len(names), : accounts.size]
    held, slot = np.nonzero(positions * is_theirs)
    facts.held.add(
        account=accounts["number"][slot], instrument=facts.numbers(names)[held], at_broker=positions[held, slot]
    )
    is_known = is_theirs & np.isin(accounts["number"], list(facts.accounts))
    facts.cash.add(
        account=accounts["number"][is_known], at_broker=accounts["cash_micro"][is_known], is_at_broker=1
    )  # fmt: skip


def decisions_of(facts: Facts, ids: Any, owners: Ints, instrument: Ints) -> Ints:
    """Return the decisions of the orders that ids at the broker (bytes) name, NOBODYS where it is none of ours.

    An id names an order of the account and the instrument that it stands with, or none.
    """
    digits = _DIGITS[np.ascontiguousarray(ids, f"S{ID_BYTES}").view(np.uint8).reshape(-1, ID_BYTES)]
    is_ours = (digits >= 0).all(axis=1)
    named = _number(digits[:, :16])
    pairs, which = np.unique(np.stack([owners, instrument]), axis=1, return_inverse=True)
    expected = np.zeros(pairs.shape[1], np.uint64)
    for at, (number, name) in enumerate(pairs.T.tolist()):
        known = facts.accounts.get(number)
        if known is not None:
            expected[at] = order_pair(known.id, facts.names[name])
    is_ours &= (named == expected[which.reshape(-1)]) & (named != 0)
    return np.where(is_ours, _number(digits[:, 16:]).astype(np.int64), NOBODYS)


def _number(digits: Any) -> Any:
    number = np.zeros(len(digits), np.uint64)
    for column in digits.T:
        number = (number << np.uint64(4)) | (column & 15).astype(np.uint64)
    return number


_DIGITS = np.full(256, -1, np.int64)
_DIGITS[[ord(each) for each in "0123456789abcdef"]] = np.arange(16)
