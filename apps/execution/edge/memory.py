"""A shard's memory at the edge: its accounts, decision marks and orders as columns. Lines of the ledger change it.

`apply` depends on nothing but the memory and the line, so that the ledger gives the same memory in every process.
"""

from enum import IntEnum
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.execution.contracts import InstrumentTerms, OrdersReported, ReportKind, order_pair
from apps.execution.edge.entries import Adopted, Cancel, Covered, Gate, Line, Opened, Reconciled, Slice
from apps.execution.growing import ID_BYTES, ChainedIds, Growing, IdIndex, Ids
from apps.execution.packed import pack, pack_records, unpack, unpack_records
from banyan.columns import Ints
from banyan.records import picked

SNAPSHOT_VERSION = 2
KEPT_NS = 2_000_000_000
"""How long after its deadline an order that has ended stays in memory, and until a statement has covered its end.

What comes of it later is told by its id.
"""


class OrderState(IntEnum):
    """What the edge knows of an order. From FILLED on it has ended."""

    SENT = 0
    WORKING = 1
    UNKNOWN = 2
    FILLED = 3
    REJECTED = 4
    CANCELLED = 5
    EXPIRED = 6
    NEVER_ARRIVED = 7
    REFUSED = 8


STATE_AFTER = {
    ReportKind.ACCEPTED: OrderState.WORKING,
    ReportKind.REJECTED: OrderState.REJECTED,
    ReportKind.CANCELLED: OrderState.CANCELLED,
    ReportKind.EXPIRED: OrderState.EXPIRED,
    ReportKind.UNKNOWN: OrderState.UNKNOWN,
    ReportKind.NEVER_ARRIVED: OrderState.NEVER_ARRIVED,
    ReportKind.REFUSED: OrderState.REFUSED,
}
# Plain numbers: NumPy takes four times as long to compare a column with a member of an enumeration.
_SENT, _WORKING, _UNKNOWN, _ENDED, _REFUSED = map(
    int, (OrderState.SENT, OrderState.WORKING, OrderState.UNKNOWN, OrderState.FILLED, OrderState.REFUSED)
)
_FILLED, _CANCEL_REJECTED = int(ReportKind.FILLED), int(ReportKind.CANCEL_REJECTED)
_STATES = np.full(max(ReportKind) + 1, -1, np.int64)
for _kind, _state in STATE_AFTER.items():
    _STATES[_kind] = _state

ORDER_DTYPE = np.dtype(
    [
        ("decision", np.int64),
        ("steps", np.int64),
        ("filled", np.int64),
        ("limit_ticks", np.int64),
        ("stop_ticks", np.int64),
        ("expires_ns", np.int64),
        ("trail_ticks", np.int64),
        ("base_steps", np.int64),
        ("tag", np.int64),
        ("deadline_ns", np.int64),
        ("session", np.int64),
        ("sent_ns", np.int64),
        ("slot", np.int32),
        ("instrument", np.int32),
        ("order_type", np.int8),
        ("time_in_force", np.int8),
        ("reduce_only", np.int8),
        ("state", np.int8),
        ("code", np.int8),
        ("cancelling", np.int8),
        ("covered", np.int8),
    ],
    align=True,
)
CONTENT = (
    "steps", "order_type", "limit_ticks", "stop_ticks", "time_in_force", "expires_ns", "reduce_only", "trail_ticks",
    "base_steps", "tag",
)  # fmt: skip
"""What must be the same where an order comes again."""

_FILL_DTYPE = np.dtype(
    [
        ("order", np.int64),
        ("steps", np.int64),
        ("price_e9", np.int64),
        ("fee_micro", np.int64),
        ("amount_micro", np.int64),
        ("at_ns", np.int64),
        ("execution", f"S{ID_BYTES}"),
    ],
    align=True,
)


class _Account(msgspec.Struct, frozen=True):
    number: int
    account: str
    broker: str
    deposit_micro: int
    fee_rate_e9: int
    currency: str = ""
    hedging: bool = False
    via: str = ""


class _Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    accounts: list[_Account]
    gated: dict[int, str]
    upto: dict[str, int]
    terms: list[InstrumentTerms]
    marks: list[bytes]
    orders: int
    columns: dict[str, bytes]
    ids: bytes
    executions: bytes
    uncovered: bytes
    """Ids of executions that a statement may tell of again."""
    fills: int
    fill_columns: dict[str, bytes]


class Memory:
    """What the edge knows of one shard."""

    def __init__(self) -> None:
        self.accounts: list[_Account] = []
        self.numbers: Ints = np.zeros(0, np.int64)
        self.brokers: NDArray[np.str_] = np.zeros(0, str)
        self.hedging: NDArray[np.bool_] = np.zeros(0, bool)
        self.gated: dict[int, str] = {}
        self.upto: dict[str, int] = {}
        self.terms: list[InstrumentTerms] = []
        self.instruments: dict[str, int] = {}
        self.marks: Ints = np.zeros((0, 0), np.int64)
        """The highest decision number that was used, int64[instruments, accounts]."""
        self.unknown: Ints = np.zeros((0, 0), np.int64)
        """How many orders are UNKNOWN, int64[instruments, accounts]."""
        self.orders = Growing(ORDER_DTYPE)
        self.ids = ChainedIds()
        self.executions = IdIndex()
        self.fills = Growing(_FILL_DTYPE)
        self.covered = 0
        """How many orders there were when a statement was booked the last time."""
        self._covered_executions: dict[str, int] = {}  # how many were known when a broker's statement was booked
        self._open_rows: Ints = np.zeros(0, np.int64)
        self._pairs: NDArray[np.uint64] = np.zeros((0, 0), np.uint64)
        self._by_number: tuple[Ints, Ints] = (self.numbers, self.numbers)
        self._of_broker: dict[str, NDArray[np.bool_]] = {}

    def apply(self, line: Line) -> None:
        """Change the memory by a line."""
        match line.what:
            case Opened() as opened:
                self._open(opened)
            case Slice() as slice_:
                self._add_orders(slice_, line.at_ns)
            case OrdersReported() as reported:
                self._report(reported)
            case Cancel() as cancel:
                rows = self.ids.find(np.frombuffer(cancel.client_ids, f"S{ID_BYTES}"))
                self.orders.rows["cancelling"][rows[rows >= 0]] = 1
            case Gate() as gate:
                for number in gate.accounts:
                    self.gated.pop(number, None)
                    if gate.reason:
                        self.gated[number] = gate.reason
            case Adopted() as adopted:
                self._adopt(adopted)
            case Reconciled() as reconciled:
                self._cover(reconciled.broker, reconciled.upto)
            case Covered() as covered:
                self._cover(covered.broker, covered.upto)

    def slots(self, numbers: Ints) -> Ints:
        """Return where accounts are in `accounts`, -1 for those that were not opened."""
        ordered, slots = self._by_number
        if ordered.size == 0:
            return np.full(numbers.size, -1, np.int64)
        at = np.minimum(np.searchsorted(ordered, numbers), ordered.size - 1)
        return np.where(ordered[at] == numbers, slots[at], -1)

    def of_broker(self, name: str) -> NDArray[np.bool_]:
        """Return which accounts trade over a broker, bool[accounts], not to be written to."""
        found = self._of_broker.get(name)
        if found is None:
            found = self._of_broker[name] = self.brokers == name
            found.flags.writeable = False
        return found

    def know(self, terms: list[InstrumentTerms]) -> Ints:
        """Return the indexes of instruments here; new ones are added."""
        for each in terms:
            if each.id not in self.instruments:
                self.instruments[each.id] = len(self.terms)
                self.terms.append(each)
        self._make_room()
        return np.array([self.instruments[each.id] for each in terms], np.int64)

    def client_ids(self, slots: Ints, instruments: Ints, decisions: Ints) -> Ids:
        """Return `client_order_id` of rows."""
        pairs = self._pairs[instruments, slots]
        missing = np.flatnonzero(pairs == 0)
        for row in missing.tolist():
            instrument, slot = int(instruments[row]), int(slots[row])
            self._pairs[instrument, slot] = order_pair(self.accounts[slot].account, self.terms[instrument].id)
        if missing.size:
            pairs = self._pairs[instruments, slots]
        return ids_of(pairs, decisions)

    def ids_of_rows(self, rows: Ints) -> Ids:
        """Return the client order ids of orders."""
        return self.ids.ids[rows]

    def open_rows(self) -> Ints:
        """Return the orders that have not ended."""
        self._open_rows = self._open_rows[self.orders.rows["state"][self._open_rows] < _ENDED]
        return self._open_rows

    def fills_of(self, order: int) -> NDArray[Any]:
        """Return the fills of an order."""
        return self.fills.rows[self.fills.rows["order"] == order]

    def forget(self, now_ns: int) -> None:
        """Forget the orders that ended long ago: be what `from_snapshot` makes of a snapshot of now.

        It is done here, in quiet, that ids are indexed anew: the next orders find them so, and room.
        """
        orders, fills = self.orders.rows, self.fills.rows
        kept = (orders["state"] < _ENDED) | (orders["deadline_ns"] > now_ns - KEPT_NS)
        kept |= orders["covered"] == 0
        ids, uncovered = self.ids.ids[kept], self._uncovered().copy()
        fills = picked(fills, kept[fills["order"]])
        fills["order"] = (np.cumsum(kept) - 1)[fills["order"]]
        self.fills.become(fills)
        self.orders.become(picked(orders, kept))
        self._look_through(ids, uncovered)

    def _look_through(self, ids: Ids, uncovered: Ids) -> None:
        """Count and index the orders and fills that were put here whole: the ids of orders, and of other executions."""
        orders = self.orders.rows
        self._open_rows = np.flatnonzero(orders["state"] < _ENDED)
        self.covered = int(np.count_nonzero(orders["covered"]))
        self.ids.become(ids)
        self._covered_executions = {}
        self.executions.become(np.ascontiguousarray(self.fills.rows["execution"]))
        self.executions.append(uncovered[self.executions.find(uncovered) < 0])

    def to_snapshot(self) -> bytes:
        """Return the memory as bytes."""
        fills = self.fills.rows
        snapshot = _Snapshot(
            accounts=self.accounts,
            gated=self.gated,
            upto=self.upto,
            terms=self.terms,
            marks=[pack(row[: len(self.accounts)]) for row in self.marks[: len(self.terms)]],
            orders=self.orders.size,
            columns=pack_records(self.orders.rows),
            ids=self.ids.ids.tobytes(),
            executions=np.ascontiguousarray(fills["execution"]).tobytes(),
            uncovered=self._uncovered().tobytes(),
            fills=fills.size,
            fill_columns={name: pack(fills[name]) for name in _FILL_NUMBERS},
        )
        return msgspec.msgpack.encode(snapshot)

    def _open(self, opened: Opened) -> None:
        known = {account.number for account in self.accounts}
        columns = (
            opened.numbers, opened.accounts, opened.brokers, opened.deposits_micro, opened.fee_rates_e9,
            opened.currencies or [""] * len(opened.numbers), opened.hedging or [False] * len(opened.numbers),
            opened.vias or [""] * len(opened.numbers),
        )  # fmt: skip
        self.accounts += [_Account(*row) for row in zip(*columns, strict=True) if row[0] not in known]
        self._number()

    def _number(self) -> None:
        self.numbers = np.array([account.number for account in self.accounts], np.int64)
        self.brokers = np.array([account.broker for account in self.accounts], str)
        self._of_broker.clear()
        self.hedging = np.array([account.hedging for account in self.accounts], bool)
        order = np.argsort(self.numbers, kind="stable")
        self._by_number = self.numbers[order], order
        self._make_room()

    def _make_room(self) -> None:
        rows, columns = len(self.terms), len(self.accounts)
        if rows <= self.marks.shape[0] and columns <= self.marks.shape[1]:
            return
        room = (max(rows, self.marks.shape[0]), max(columns, 2 * self.marks.shape[1]))
        self.marks, self.unknown = _widened(self.marks, room), _widened(self.unknown, room)
        self._pairs = _widened(self._pairs, room)

    def _add_orders(self, slice_: Slice, at_ns: int) -> None:
        n = slice_.rows
        instrument = self.know(slice_.terms)[unpack(slice_.instrument, n)]
        orders: NDArray[Any] = np.zeros(n, ORDER_DTYPE)
        for name in ("decision", "session", "code", *CONTENT):
            packed = getattr(slice_, name)
            if packed:
                orders[name] = unpack(packed, n)
        orders["slot"] = self.slots(unpack(slice_.account, n))
        orders["instrument"] = instrument
        orders["deadline_ns"] = slice_.deadline_ns
        orders["sent_ns"] = at_ns
        sent = _UNKNOWN if slice_.is_queried else _SENT
        orders["state"] = np.where(orders["code"] != 0, _REFUSED, sent)
        slots = orders["slot"].astype(np.int64)
        self.ids.append(self.client_ids(slots, instrument, orders["decision"]))
        rows = self.orders.append(orders)
        self._open_rows = np.concatenate([self._open_rows, rows])
        np.maximum.at(self.marks, (instrument, slots), orders["decision"])
        if slice_.is_queried:
            np.add.at(self.unknown, (instrument, slots), orders["state"] == _UNKNOWN)

    def _cover(self, broker: str, upto: int) -> None:
        """Note a statement: what has happened up to `upto` is booked, and comes in no later one."""
        self.upto[broker] = max(upto, self.upto.get(broker, 0))
        self._covered_executions[broker] = self.executions.ids.size
        self.covered = self.orders.size
        orders = self.orders.rows
        ended = np.flatnonzero((orders["state"] >= _ENDED) & (orders["covered"] == 0))
        orders["covered"][ended[self.of_broker(broker)[orders["slot"][ended]]]] = 1

    def _uncovered(self) -> Ids:
        return self.executions.ids[
            min((self._covered_executions.get(each, 0) for each in set(self.brokers)), default=0) :
        ]

    def _adopt(self, adopted: Adopted) -> None:
        slots = self.slots(np.array(adopted.accounts, np.int64))
        for slot, name, decision in zip(slots.tolist(), adopted.instruments, adopted.decisions, strict=True):
            if slot >= 0 and name in self.instruments:
                at = self.instruments[name], slot
                self.marks[at] = max(self.marks[at], decision)

    def _report(self, reported: OrdersReported) -> None:
        n = reported.account.size
        steps = reported.steps if reported.steps.size else np.zeros(n, np.int64)
        instruments = np.array([self.instruments.get(each, -1) for each in reported.instruments], np.int64)
        slots = self.slots(reported.account)
        instrument = instruments[reported.instrument] if instruments.size else np.full(n, -1, np.int64)
        ours = (slots >= 0) & (instrument >= 0) & (reported.decision > 0)
        rows = np.full(n, -1, np.int64)
        rows[ours] = self.ids.find(self.client_ids(slots[ours], instrument[ours], reported.decision[ours]))
        executions = np.array(reported.execution_id or [""] * n, f"S{ID_BYTES}")
        here = (rows >= 0) & self._learn(reported.kind, executions)
        rows, kind = rows[here], reported.kind[here]
        orders = self.orders.rows
        before = orders["state"][rows]
        was_unknown = before == _UNKNOWN
        filled = kind == _FILLED
        np.add.at(orders["filled"], rows[filled], steps[here][filled])
        changes = _STATES[kind] >= 0
        orders["state"][rows[changes]] = _STATES[kind][changes]
        touched = rows[filled]
        full = np.abs(orders["filled"][touched]) >= np.abs(orders["steps"][touched])  # a broker may have filled more
        orders["state"][touched[full]] = _ENDED
        begun = (orders["state"][touched] == _SENT) | (orders["state"][touched] == _UNKNOWN)
        orders["state"][touched[begun & ~full]] = _WORKING
        # A broker that has not seen the order yet cannot cancel it: it is asked again once the order is there.
        orders["cancelling"][rows[(kind == _CANCEL_REJECTED) & (before == _WORKING)]] = 0
        self._count_unknown(rows, was_unknown)
        if filled.any():
            at = np.flatnonzero(here)[filled]
            self._keep_fills(reported, at, touched, executions[at])

    def _learn(self, kind: Ints, executions: Ids) -> NDArray[np.bool_]:
        """Note the execution ids of a report; return which rows are not fills that were reported before."""
        has_id = executions != b""
        known = (self.executions.find(executions) >= 0) & has_id
        self.executions.append(executions[has_id & ~known])
        return ~(known & (kind == _FILLED))

    def _count_unknown(self, rows: Ints, was_unknown: NDArray[np.bool_]) -> None:
        if not (was_unknown.any() or (self.orders.rows["state"][rows] == _UNKNOWN).any()):
            return
        first = np.unique(rows, return_index=True)[1]
        orders = self.orders.rows[rows[first]]
        change = (orders["state"] == _UNKNOWN).astype(np.int64) - was_unknown[first]
        np.add.at(self.unknown, (orders["instrument"], orders["slot"]), change)

    def _keep_fills(self, reported: OrdersReported, at: Ints, rows: Ints, executions: Ids) -> None:
        fills: NDArray[Any] = np.zeros(at.size, _FILL_DTYPE)
        fills["order"] = rows
        for name in _FILL_NUMBERS[1:]:
            column = getattr(reported, name)
            fills[name] = column[at] if column.size else 0
        fills["execution"] = executions
        self.fills.append(fills)


_FILL_NUMBERS = ("order", "steps", "price_e9", "fee_micro", "amount_micro", "at_ns")


def from_snapshot(state: bytes) -> Memory:
    """Return the memory that `to_snapshot` has written."""
    snapshot = msgspec.msgpack.decode(state, type=_Snapshot)
    memory = Memory()
    memory.accounts = snapshot.accounts
    memory._number()
    memory.gated, memory.upto = snapshot.gated, snapshot.upto
    memory.know(snapshot.terms)
    for row, packed in enumerate(snapshot.marks):
        memory.marks[row, : len(memory.accounts)] = unpack(packed, len(memory.accounts))
    orders = unpack_records(snapshot.columns, snapshot.orders, ORDER_DTYPE)
    memory.orders.append(orders)
    unknown = orders[orders["state"] == _UNKNOWN]
    np.add.at(memory.unknown, (unknown["instrument"], unknown["slot"]), 1)
    fills: NDArray[Any] = np.zeros(snapshot.fills, _FILL_DTYPE)
    for name in _FILL_NUMBERS:
        fills[name] = unpack(snapshot.fill_columns.get(name, b""), snapshot.fills)
    fills["execution"] = np.frombuffer(snapshot.executions, f"S{ID_BYTES}")
    memory.fills.append(fills)
    memory._look_through(*(np.frombuffer(each, f"S{ID_BYTES}") for each in (snapshot.ids, snapshot.uncovered)))
    return memory


def ids_of(pairs: NDArray[np.uint64], decisions: Ints) -> Ids:
    """Return the ids of orders by `order_pair` and decision number."""
    both: NDArray[Any] = np.zeros(pairs.size, np.dtype([("pair", ">u8"), ("decision", ">u4")]))
    both["pair"] = pairs
    both["decision"] = decisions
    return np.frombuffer(both.tobytes().hex().encode(), f"S{ID_BYTES}")


def _widened(array: Any, room: tuple[int, int]) -> Any:
    wider = np.zeros(room, array.dtype)
    wider[: array.shape[0], : array.shape[1]] = array
    return wider
