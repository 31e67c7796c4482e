"""Facts from risk's log, from the edge's ledger and from the paper broker's."""

from typing import Any

import numpy as np

from apps.audit.facts import NOBODYS, Facts, Stray
from apps.audit.reading_execution import orders_of
from apps.execution.contracts import EdgeRefusal, OrdersReported, ReportKind, order_pair
from apps.execution.edge.entries import Adopted, Line, Slice
from apps.execution.edge.shard import SENDER
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
    orders = state.open_orders()
    if len(cells):
        place = {"account": numbers[cells["account"]], "instrument": names[cells["instrument"]]}
        facts.held.add(**place, at_risk=cells["position"])
        bought, sold = np.maximum(orders["left"], 0), np.minimum(orders["left"], 0)
        sums = {"buys": _sums(len(cells), orders["cell"], bought), "sells": _sums(len(cells), orders["cell"], sold)}
        amounts = [cells[name] for name in _RESERVED]
        facts.exposed.add(
            **place, **sums, long=cells["long"], short=cells["short"], reserved=np.abs(np.stack(amounts)).sum(axis=0)
        )
        for kind, (name, amount) in enumerate(zip(_RESERVED, amounts, strict=True)):
            of_cells = _sums(numbers.size, cells["account"], amount)
            facts.totals.add(account=numbers, amount=kind, reserved=state.accounts.rows[name], of_cells=of_cells)
    if len(orders):
        cell = cells[orders["cell"]]
        facts.reserved.add(
            account=numbers[cell["account"]],
            instrument=names[cell["instrument"]],
            decision=orders["decision"],
            left=orders["left"],
        )


_RESERVED = ("reserved_gross", "reserved_long", "reserved_short", "reserved_margin")
"""As Facts tells RESERVED_AMOUNTS."""


def _sums(count: int, at: Ints, amounts: Ints) -> Ints:
    total = np.zeros(count, np.int64)
    np.add.at(total, at, amounts)
    return total


def read_line(facts: Facts, line: Line) -> None:
    """Add what a line of the edge's ledger says. What execution says of the shard's accounts must have been read."""
    match line.what:
        case Slice() as slice_:
            columns = {name: unpack(getattr(slice_, name), slice_.rows) for name in _COLUMNS}
            columns["instrument"] = facts.numbers([each.id for each in slice_.terms])[columns["instrument"]]
            about = {"deadline_ns": slice_.deadline_ns, "is_queried": int(slice_.is_queried)}
            facts.sent.add(**columns, at_ns=line.at_ns, **about)
            for number in np.unique(columns["account"]).tolist():
                account = facts.accounts.get(number)
                is_stray = account.shard != line.key if account is not None else not facts.restored_ns
                if is_stray:
                    facts.strays.append(Stray(SENDER, line.key, line.number, number))
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
    ids = np.asarray(book.ids.ids)[theirs]
    decision = decisions_of(facts, ids, owners, instrument)
    others = decision == NOBODYS
    read_crossed(facts, names, ids[others], owners[others], instrument[others])
    facts.placed.add(
        account=owners, instrument=instrument, decision=decision, steps=orders["steps"], filled=orders["filled"],
        at_ns=orders["arrived"], is_rejected=orders["status"] == REJECTED, is_working=orders["status"] == WORKING,
    )  # fmt: skip
    reports = book.reports.rows
    fills = reports[reports["kind"] == REPORT_FILLED]
    fills = fills[is_theirs[book.orders.rows["account"][fills["order"]]]]
    at = np.searchsorted(theirs, fills["order"])
    facts.trades.add(account=owners[at], instrument=instrument[at], decision=decision[at], steps=fills["steps"])
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
    is_id, named, decision = _parts(ids)
    pairs, which = np.unique(np.stack([owners, instrument]), axis=1, return_inverse=True)
    expected = np.zeros(pairs.shape[1], np.uint64)
    for at, (number, name) in enumerate(pairs.T.tolist()):
        known = facts.accounts.get(number)
        if known is not None:
            expected[at] = order_pair(known.id, facts.names[name])
    is_ours = is_id & (named == expected[which.reshape(-1)]) & (named != 0)
    return np.where(is_ours, decision, NOBODYS)


def read_crossed(facts: Facts, names: list[str], ids: Any, owners: Ints, instrument: Ints) -> None:
    """Add which ids that name no order of the account and instrument that they stand with name one of others."""
    is_id, named, decision = _parts(ids)
    if not is_id.any():
        return
    pairs = {
        order_pair(account.id, name): (number, name) for number, account in facts.accounts.items() for name in names
    }
    for row in np.flatnonzero(is_id).tolist():
        if (order := pairs.get(int(named[row]))) is not None:
            account, name = order
            place = {"account": account, "instrument": facts.number(name), "decision": int(decision[row])}
            facts.crossed.add(**place, of_account=int(owners[row]), of_instrument=int(instrument[row]))


def _parts(ids: Any) -> tuple[Any, Any, Ints]:
    """Return which ids (bytes) are of our form, and the pair and the decision that each then names."""
    digits = _DIGITS[np.ascontiguousarray(ids, f"S{ID_BYTES}").view(np.uint8).reshape(-1, ID_BYTES)]
    return (digits >= 0).all(axis=1), _number(digits[:, :16]), _number(digits[:, 16:]).astype(np.int64)


def _number(digits: Any) -> Any:
    number = np.zeros(len(digits), np.uint64)
    for column in digits.T:
        number = (number << np.uint64(4)) | (column & 15).astype(np.uint64)
    return number


_DIGITS = np.full(256, -1, np.int64)
_DIGITS[[ord(each) for each in "0123456789abcdef"]] = np.arange(16)
