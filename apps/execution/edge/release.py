"""The checks at release: which orders may be sent, and which are refused and why. Nothing here does anything."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.execution.contracts import EdgeRefusal, InstrumentTerms, OrdersReleased, ReportKind
from apps.execution.edge.entries import Slice
from apps.execution.edge.memory import CONTENT, STATE_AFTER, Memory, OrderState
from apps.execution.edge.reports import Rows
from apps.execution.packed import pack
from banyan.columns import Ints

_DECISION_MAX = 2**32 - 1
_KIND_OF_STATE = {state: kind for kind, state in STATE_AFTER.items()}


class Circumstances(NamedTuple):
    """What holds while a message is released; `sessions` (0: none), `reconciled` and `cannot` are by account.

    Accounts `cannot` trade whose broker has not their kind: hedging, or netting.
    """

    refuse_all: EdgeRefusal
    """Why nothing at all may be sent, or NONE."""
    is_halted: bool
    sessions: Ints
    reconciled: NDArray[np.bool_]
    cannot: NDArray[np.bool_]


class Wanted(NamedTuple):
    """Rows of a released message whose accounts the edge knows. Columns as in OrdersReleased."""

    terms: list[InstrumentTerms]
    slots: Ints
    instruments: Ints
    """Index in the memory."""
    columns: dict[str, Ints]
    """Of the message: account, instrument, decision and CONTENT, but for those that are zero in every row."""

    def column(self, name: str) -> Ints:
        """Return a column."""
        column = self.columns.get(name)
        return np.zeros(self.slots.size, np.int64) if column is None else column

    def take(self, rows: NDArray[np.bool_]) -> "Wanted":
        """Return some of the rows."""
        if rows.all():
            return self
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Wanted(self.terms, self.slots[rows], self.instruments[rows], columns)


def wanted(memory: Memory, message: OrdersReleased) -> tuple[Wanted, NDArray[np.bool_]]:
    """Return the rows whose accounts are known, and which rows these are."""
    n = message.account.size
    slots = memory.slots(message.account)
    named = {name: getattr(message, name) for name in ("account", "instrument", "decision", *CONTENT)}
    columns = {name: column for name, column in named.items() if column.size}
    places = columns.get("instrument", np.zeros(n, np.int64))
    instruments = memory.know(message.terms)[places] if n else places
    known = slots >= 0
    return Wanted(message.terms, slots, instruments, columns).take(known), known


def first_of_each_pair(rows: Wanted) -> NDArray[np.bool_]:
    """Return which rows are the first of their account and instrument."""
    pairs = rows.slots * 1_000_000 + rows.instruments
    if (pairs[1:] > pairs[:-1]).all():
        return np.ones(pairs.size, bool)
    first = np.zeros(pairs.size, bool)
    first[np.unique(pairs, return_index=True)[1]] = True
    return first


def codes_of(memory: Memory, rows: Wanted, now: Circumstances) -> Ints:
    """Return why each row is refused: an EdgeRefusal, NONE where it may be sent. The decision marks are apart."""
    codes = np.zeros(rows.slots.size, np.int64)
    opens = rows.column("reduce_only") == 0
    codes[opens & (memory.unknown[rows.instruments, rows.slots] > 0)] = EdgeRefusal.FROZEN
    codes[~now.reconciled[rows.slots]] = EdgeRefusal.NOT_RECONCILED
    codes[now.sessions[rows.slots] == 0] = EdgeRefusal.NO_SESSION
    if memory.gated:
        codes[np.isin(rows.columns["account"], list(memory.gated))] = EdgeRefusal.GATED
    decision, steps = rows.column("decision"), rows.column("steps")
    codes[now.cannot[rows.slots]] = EdgeRefusal.BROKER_CANNOT
    codes[(decision < 1) | (decision > _DECISION_MAX) | (steps == 0)] = EdgeRefusal.BROKER_CANNOT
    if now.is_halted:
        codes[opens] = EdgeRefusal.KILL_SWITCH
    if now.refuse_all:
        codes[:] = now.refuse_all
    return codes


def slice_of(rows: Wanted, codes: Ints, sessions: Ints, *, cause: str, deadline_ns: int, is_queried: bool) -> Slice:
    """Return the line of the ledger that says what was sent and what was refused."""
    columns = {name: pack(column) for name, column in rows.columns.items()}
    session = np.where(codes == 0, sessions[rows.slots], 0)
    return Slice(
        cause=cause, deadline_ns=deadline_ns, rows=rows.slots.size, terms=rows.terms, code=pack(codes),
        session=pack(np.zeros_like(session) if is_queried else session), is_queried=is_queried, **columns,
    )  # fmt: skip


def recorded(memory: Memory, rows: Wanted) -> tuple[Rows, list[int]]:
    """Return what is known of orders whose decision numbers were used, and accounts that used one for two orders.

    An order that comes again unchanged is answered with its recorded outcome. One that has been forgotten is refused.
    """
    told = Rows.of(memory)
    gated = []
    content = {name: rows.column(name) for name in CONTENT}
    decisions = rows.column("decision")
    ids = memory.client_ids(rows.slots, rows.instruments, np.clip(decisions, 0, _DECISION_MAX))
    for at, order in enumerate(memory.ids.find(ids).tolist()):
        account, decision = int(rows.columns["account"][at]), int(decisions[at])
        instrument = int(rows.instruments[at])
        if order < 0:
            told.add(account, instrument, decision, ReportKind.REFUSED, code=EdgeRefusal.DECISION_PASSED)
            continue
        known = memory.orders.rows[order]
        if any(int(known[name]) != int(column[at]) for name, column in content.items()):
            gated.append(account)
            told.add(account, instrument, decision, ReportKind.REFUSED, code=EdgeRefusal.GATED)
            continue
        for fill in memory.fills_of(order):
            told.add(
                account, instrument, decision, ReportKind.FILLED, steps=int(fill["steps"]),
                price_e9=int(fill["price_e9"]), fee_micro=int(fill["fee_micro"]), at_ns=int(fill["at_ns"]),
                amount_micro=int(fill["amount_micro"]), execution_id=fill["execution"].decode(),
            )  # fmt: skip
        kind = _KIND_OF_STATE.get(OrderState(int(known["state"])))
        if kind is not None:
            told.add(account, instrument, decision, kind, code=int(known["code"]))
    return told, gated
