"""What the edge tells of orders: rows of OrdersReported, from what brokers say and from what it finds itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.execution.contracts import OrdersReported, ReportKind
from apps.execution.edge.memory import Memory, OrderState
from apps.execution.edge.port import Event, Executions
from apps.execution.growing import ID_BYTES, first_of_each, texts_of
from banyan.columns import Ints, ints
from banyan.records import picked

_NUMBERS = ("steps", "price_e9", "fee_micro", "amount_micro", "at_ns", "code")
_COLUMNS = ("account", "instrument", "decision", "kind", *_NUMBERS)
_TOLD = ("kind", *_NUMBERS)
_RUN = ("execution_ids", "marks", "client_ids", "account", "instrument", *_TOLD)
_COUNTS = np.zeros((max(ReportKind) + 1, max(OrderState) + 1), bool)
"""Whether a report of a kind counts for an order in a state."""
_COUNTS[[ReportKind.FILLED, ReportKind.CANCEL_REJECTED]] = True
_COUNTS[ReportKind.ACCEPTED, [OrderState.SENT, OrderState.UNKNOWN]] = True
_COUNTS[[ReportKind.REJECTED, ReportKind.CANCELLED, ReportKind.EXPIRED], : OrderState.FILLED] = True
_HEX = frozenset(b"0123456789abcdef")


class Rows:
    """Rows of one report to be; `instrument` is that of the memory, with strange ones after them."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._parts: list[dict[str, Ints]] = []
        self._executions: list[str] = []
        self._texts: list[str] = []
        self._answers: dict[int, str] = {}

    @classmethod
    def of(cls, memory: Memory) -> "Rows":
        """Return no rows yet of a memory's orders."""
        return cls([each.id for each in memory.terms])

    def add(
        self, account: int, instrument: int, decision: int, kind: ReportKind, *, execution_id: str = "", **numbers: int
    ) -> None:
        """Add one row."""
        row = {"account": account, "instrument": instrument, "decision": decision, "kind": int(kind), **numbers}
        self._parts.append({name: np.array([int(row.get(name, 0))]) for name in _COLUMNS})
        self._executions.append(execution_id)

    def add_orders(self, memory: Memory, orders: Ints, kind: ReportKind, at_ns: int, code: int = 0) -> None:
        """Add a row that says the same of each of some orders."""
        known = picked(memory.orders.rows, orders)
        n = orders.size
        self.add_columns(
            account=memory.numbers[known["slot"]],
            instrument=known["instrument"].astype(np.int64),
            decision=known["decision"],
            kind=np.full(n, int(kind)),
            steps=known["steps"] if kind is ReportKind.UNKNOWN else np.zeros(n, np.int64),
            at_ns=np.full(n, at_ns),
            code=np.full(n, code),
        )

    def answer(self, text: str) -> None:
        """Say with the row that was added last what came of what a person has said of its order."""
        self._answers[len(self._executions) - 1] = text

    def add_columns(self, *, execution_ids: list[str] | None = None, **columns: Ints) -> None:
        """Add rows as columns; a column that is not given is 0."""
        n = columns["account"].size
        self._parts.append({name: columns.get(name, np.zeros(n, np.int64)) for name in _COLUMNS})
        self._executions += execution_ids if execution_ids is not None else [""] * n

    def say(self, texts: list[str]) -> None:
        """Give the texts that `code` points into."""
        self._texts = texts

    def name(self, instrument: str) -> int:
        """Return the index of an instrument that the memory may not know."""
        if instrument not in self._names:
            self._names.append(instrument)
        return self._names.index(instrument)

    def message(self) -> OrdersReported | None:
        """Return the report, or None where nothing is to be said."""
        if not self._parts:
            return None
        columns: dict[str, Any] = {
            name: np.concatenate([part[name] for part in self._parts]).astype(np.int64) for name in _COLUMNS
        }
        if not columns["account"].size:
            return None
        for name in _NUMBERS:
            columns[name] = columns[name] if np.count_nonzero(columns[name]) else ints()
        instrument = columns["instrument"]
        if (instrument == instrument[0]).all():  # as it nearly always is: no need to sort them
            used, columns["instrument"] = instrument[:1], np.zeros(instrument.size, np.int64)
        else:
            used, columns["instrument"] = np.unique(instrument, return_inverse=True)
        return OrdersReported(
            instruments=[self._names[each] for each in used.tolist()],
            execution_id=self._executions if any(self._executions) else [],
            texts=self._texts if columns["code"].size else [],
            answers=[self._answers.get(row, "") for row in range(len(self._executions))] if self._answers else [],
            **columns,
        )


class Adoption:
    """Orders with our ids that only the broker knew."""

    def __init__(self) -> None:
        self.accounts: list[int] = []
        self.instruments: list[str] = []
        self.decisions: list[int] = []


def told_by_broker(memory: Memory, told: Executions, upto: int, adoption: Adoption) -> Rows:
    """Return the rows that a broker's execution reports of a shard's accounts make, without what is known already.

    Whatever has a mark up to `upto` is known: statements have covered it, and its order may be forgotten. A fill always
    counts, whatever had been thought of its order. Anything else counts only while the order is open. A fill of an
    order that is not ours gets the decision number 0.
    """
    rows = Rows.of(memory)
    rows.say(told.texts)
    told = taken(told, (memory.slots(told.account) >= 0) & ((told.marks == 0) | (told.marks > upto)))
    if not told.account.size:
        return rows
    has_id = told.execution_ids != b""
    new = ~has_id | (first_of_each(told.execution_ids) & (memory.executions.find(told.execution_ids) < 0))
    orders = memory.ids.find(told.client_ids)
    state = np.full(orders.size, int(OrderState.SENT), np.int64)
    state[orders >= 0] = memory.orders.rows["state"][orders[orders >= 0]]
    counts = new & (orders >= 0) & _counts(told.kind, state)
    if counts.any():
        known = picked(memory.orders.rows, orders[counts])
        rows.add_columns(
            execution_ids=texts_of(told.execution_ids[counts]),
            account=memory.numbers[known["slot"]],
            instrument=known["instrument"].astype(np.int64),
            decision=known["decision"],
            **{name: getattr(told, name)[counts] for name in _TOLD},
        )
    for at in np.flatnonzero(new & (orders < 0)).tolist():
        _add_strange(rows, memory, told, at, adoption)
    return rows


def merged(events: list[Event]) -> list[Event]:
    """Return what a broker has said with reports that follow each other as one: each line of the ledger costs."""
    found: list[Event] = []
    run: list[Executions] = []
    for event in events:
        if isinstance(event, Executions) and (not run or _are_named_alike(run[0], event)):
            run.append(event)
            continue
        found += _as_one(run)
        run = [event] if isinstance(event, Executions) else []
        found += [] if run else [event]
    return found + _as_one(run)


def _are_named_alike(one: Executions, other: Executions) -> bool:
    return one.instruments == other.instruments and one.texts == other.texts


def _as_one(run: list[Executions]) -> list[Executions]:
    if len(run) < 2:
        return run
    columns: dict[str, Any] = {name: np.concatenate([getattr(each, name) for each in run]) for name in _RUN}
    return [run[0]._replace(**columns)]


def taken(told: Executions, rows: NDArray[np.bool_] | Ints) -> Executions:
    """Return some rows of execution reports, by their numbers or by a column of whether each is wanted."""
    if rows.dtype == np.bool_ and rows.all():
        return told
    return told._replace(**{name: getattr(told, name)[rows] for name in _RUN})


def _counts(kind: Ints, state: Ints) -> NDArray[np.bool_]:
    return _COUNTS[kind, state]


def _add_strange(rows: Rows, memory: Memory, told: Executions, at: int, adoption: Adoption) -> None:
    """Add the report of an order that the ledger does not know: one of ours before a restore, or somebody else's."""
    account, kind = int(told.account[at]), ReportKind(int(told.kind[at]))
    index = int(told.instrument[at])
    name = told.instruments[index] if told.instruments and index >= 0 else ""
    decision = 0 if kind is ReportKind.CASH else _decision_of(memory, told, at, name)
    if decision:
        adoption.accounts.append(account)
        adoption.instruments.append(name)
        adoption.decisions.append(decision)
    elif kind not in (ReportKind.FILLED, ReportKind.CASH):
        return
    numbers = {key: int(getattr(told, key)[at]) for key in _NUMBERS}
    execution_id = told.execution_ids[at].decode()
    rows.add(account, rows.name(name), decision, kind, execution_id=execution_id, **numbers)


def _decision_of(memory: Memory, told: Executions, at: int, name: str) -> int:
    """Return the decision number of an order with an id of ours, 0 for any other."""
    client_id = told.client_ids[at]
    if len(client_id) != ID_BYTES or not _HEX.issuperset(client_id) or name not in memory.instruments:
        return 0
    slot = memory.slots(told.account[at : at + 1])
    decision = int(client_id[16:], 16)
    ours = memory.client_ids(slot, np.array([memory.instruments[name]]), np.array([decision]))
    return decision if ours[0] == client_id else 0
