"""How orders leave: checked and SENT into the ledger first, checked again, then written to their broker, once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from apps.execution.contracts import CancelsReleased, EdgeRefusal, OrdersReleased, ReportKind
from apps.execution.edge.allocating import Units
from apps.execution.edge.entries import Cancel, Gate
from apps.execution.edge.ledger import Incarnation
from apps.execution.edge.link import Link
from apps.execution.edge.memory import CONTENT, OrderState
from apps.execution.edge.port import Orders
from apps.execution.edge.queueing import RECALLED_NS, Batch, Lane, lanes_of
from apps.execution.edge.release import (
    Circumstances,
    Wanted,
    codes_of,
    first_of_each_pair,
    recorded,
    slice_of,
    wanted,
)
from apps.execution.edge.reports import Rows
from apps.execution.edge.shard import Shard
from apps.execution.growing import Ids
from banyan import crash
from banyan.codec import Envelope
from banyan.columns import Ints

if TYPE_CHECKING:
    from apps.execution.edge.edge import Edge


@dataclass(slots=True)
class _Outbound:
    """Orders of one slice that are SENT and go to one link."""

    shard: Shard
    link: Link
    session: int
    deadline_ns: int
    rows: Wanted
    client_ids: Ids


class Sending:
    """The way out of an edge."""

    def __init__(self, edge: "Edge") -> None:
        self._edge = edge
        self._outbound: list[_Outbound] = []
        self._cancels: list[tuple[Link, Ids]] = []
        self._lanes = lanes_of(edge.links.values())

    def release(self, shard: Shard, envelope: Envelope, message: OrdersReleased, life: Incarnation) -> list[Batch]:
        """Check a message's orders and make them SENT, or say why they are refused; return what has to wait."""
        edge = self._edge
        now_ns = edge.time.now_ns()
        deadline_ns = envelope.deadline_ns
        if deadline_ns is None:
            deadline_ns = (envelope.sent_at_ns or now_ns) + edge.settings.deadline_ns
        rows, known = wanted(shard.memory, message)
        if not known.all():
            self._refuse_strangers(shard, message, ~known, now_ns)
        is_older = life.number > 1 and envelope.sent_at_ns <= life.began_at_ns + edge.settings.clock_bound_ns
        is_ahead = edge.time.is_ahead(envelope.sent_at_ns)
        batches = [] if is_older or is_ahead else self._let_wait(shard, envelope, message.set, deadline_ns, rows)
        if batches:
            rows = rows.take(~np.isin(shard.memory.brokers[rows.slots], list(self._lanes)))
        because = EdgeRefusal.CLOCK_STEPPED if is_ahead else EdgeRefusal.NONE
        self._release_all(shard, rows, envelope, deadline_ns, is_queried=is_older, refuse_all=because)
        return batches

    def dispatch(self) -> bool:
        """Release what waits for brokers that take only so many orders a second; tell whether anything was done."""
        did = False
        for lane in self._lanes.values():
            did |= self._dispatch(lane)
        return did

    def patience_ns(self) -> int:
        """Return after how long there may be more to dispatch."""
        now_ns = self._edge.time.now_ns()
        lanes = [lane for lane in self._lanes.values() if not lane.link.is_changing_sessions()]
        dues = [lane.next_ns(now_ns) for lane in lanes]
        return max(0, min((due for due in dues if due is not None), default=2**62) - now_ns)

    def remember(self, shard: Shard) -> None:
        """Count what was sent for a shard before it was loaded."""
        for lane in self._lanes.values():
            lane.remember(shard, self._edge.time.now_ns())

    def cancel(self, shard: Shard, envelope: Envelope, message: CancelsReleased) -> None:
        """Keep that orders are to be cancelled, and ask their brokers; what cannot be cancelled is said at once."""
        memory = shard.memory
        slots = memory.slots(message.account)
        places = message.instrument if message.instrument.size else np.zeros(slots.size, np.int64)
        names = [memory.instruments.get(name, -1) for name in message.instruments]
        instruments = np.array(names or [-1], np.int64)[places]
        rows = np.full(slots.size, -1, np.int64)
        known = (slots >= 0) & (instruments >= 0)
        ids = memory.client_ids(slots[known], instruments[known], message.decision[known])
        rows[known] = memory.ids.find(ids)
        is_open = rows >= 0
        is_open[is_open] = memory.orders.rows["state"][rows[is_open]] < OrderState.FILLED
        now_ns = self._edge.time.now_ns()
        if is_open.any():
            shard.write(Cancel(cause=envelope.id, client_ids=memory.ids_of_rows(rows[is_open]).tobytes()), now_ns)
            self._take_back(shard, memory.ids_of_rows(rows[is_open]))
            still = rows[is_open]
            self.ask_to_cancel(shard, still[memory.orders.rows["state"][still] < OrderState.FILLED])
        waits = np.zeros(slots.size, bool)
        for lane in self._lanes.values():
            waits |= lane.recall(shard, slots, instruments, message.decision)
        told = Rows.of(memory)
        for at in np.flatnonzero(~is_open & ~waits).tolist():
            instrument = told.name(message.instruments[int(places[at])])
            decision = int(message.decision[at])
            told.add(int(message.account[at]), instrument, decision, ReportKind.CANCEL_REJECTED, at_ns=now_ns)
        self._tell(shard, told, now_ns)

    def ask_to_cancel(self, shard: Shard, rows: Ints) -> None:
        """Ask the brokers of orders to cancel them, once what is known is committed."""
        of_rows = shard.memory.brokers[shard.memory.orders.rows["slot"][rows]]
        for name, link in self._edge.links.items():
            theirs = rows[of_rows == name]
            if theirs.size and link.session:
                ids, lane = shard.memory.ids_of_rows(theirs), self._lanes.get(name)
                if lane is None:
                    self._cancels.append((link, ids))
                else:
                    lane.cancels.append(ids)

    def write(self) -> None:
        """Write what is SENT, where it still may go; the rest is refused."""
        outbound, self._outbound = self._outbound, []
        self._write_cancels()
        batches: dict[tuple[str, int, int], list[_Outbound]] = {}
        for each in outbound:
            batches.setdefault((each.link.broker.name, each.session, each.deadline_ns), []).append(each)
        for batch in batches.values():
            self._write(batch)
        for lane in self._lanes.values():
            lane.allocator.budget.written(self._edge.time.now_ns())

    def forget(self, shard: Shard) -> None:
        """Forget what waits to be written for a shard: its lease is gone, or its memory."""
        self._outbound = [each for each in self._outbound if each.shard is not shard]
        for lane in self._lanes.values():
            lane.forget(shard)

    def _take_back(self, shard: Shard, ids: Ids) -> None:
        """Refuse orders that are to be cancelled and were not written yet: a cancel would get there before them."""
        for each in self._outbound:
            stays = np.isin(each.client_ids, ids)
            if each.shard is shard and stays.any():
                codes = np.full(int(stays.sum()), int(EdgeRefusal.RECALLED))
                self._refuse(shard, each.rows.take(stays), codes, self._edge.time.now_ns())
                each.rows, each.client_ids = each.rows.take(~stays), each.client_ids[~stays]
        self._outbound = [each for each in self._outbound if each.client_ids.size]

    def _write_cancels(self) -> None:
        """Ask to cancel what is to be cancelled; a broker with limits takes what it does, and the rest later.

        What waits for a session that has ended, or is about to, is asked for again in the next one.
        """
        cancels, self._cancels = self._cancels, []
        for link, ids in cancels:
            if link.session and not link.is_changing_sessions():
                link.cancel(ids)
        for lane in self._lanes.values():
            if not lane.link.session or lane.link.is_changing_sessions():
                lane.cancels.clear()
            go = lane.cancels_to_go(self._edge.time.now_ns())
            if go is not None:
                lane.link.cancel(go)

    def _let_wait(
        self, shard: Shard, envelope: Envelope, set_name: str, deadline_ns: int, rows: Wanted
    ) -> list[Batch]:  # fmt: skip
        """Let the orders wait that go to brokers with limits."""
        batches = []
        for name, lane in self._lanes.items():
            theirs = shard.memory.of_broker(name)[rows.slots]
            if theirs.any():
                batches.append(Batch(shard, envelope, deadline_ns, rows.take(theirs)))
                lane.add(batches[-1], set_name)
        return batches

    def _dispatch(self, lane: Lane) -> bool:
        edge, allocator, now_ns = self._edge, lane.allocator, self._edge.time.now_ns()
        if not allocator.waiting.size or now_ns < lane.due_ns or lane.link.is_changing_sessions():
            return False
        before = allocator.waiting.size
        if not (lane.link.session and edge.time.is_trusted() and edge.switch.is_clear()):
            while (units := self._hopeless(lane)).size:
                self._send(lane, units)
        left = before + 1
        while allocator.waiting.size < left:
            left = allocator.waiting.size
            over = allocator.expired(now_ns)
            is_recalled = over["deadline_ns"] == RECALLED_NS
            self._send(lane, over[is_recalled], EdgeRefusal.RECALLED)
            self._send(lane, over[~is_recalled], EdgeRefusal.RATE_LIMIT)
            if not lane.cancels:
                self._send(lane, allocator.next_units(now_ns))
        lane.due_ns = allocator.next_ns(now_ns)
        for shard in edge.shards.values():
            shard.move_marks()
        return left < before

    def _hopeless(self, lane: Lane) -> Units:
        """Take out what would be refused if it were its turn: nothing, or little, goes to this broker now."""
        heads = lane.allocator.heads()
        units = lane.allocator.waiting[heads]
        refused = np.zeros(heads.size, bool)
        for batch, places in lane.parts(units):
            rows = batch.rows.take(batch.rows_of(units[places], with_guards=False))
            refuse_all = self._refusal(self._edge.time.now_ns(), batch.deadline_ns)
            refused[places] = codes_of(batch.shard.memory, rows, self._circumstances(batch.shard, refuse_all)) != 0
        return lane.allocator.take_out(heads[refused])

    def _send(self, lane: Lane, units: Units, because: EdgeRefusal = EdgeRefusal.NONE) -> None:
        """Release units that have waited, or refuse them all `because` of something."""
        for batch, places in lane.parts(units):
            mine = units[places]
            chosen = batch.rows_of(mine)
            goes = self._release_all(
                batch.shard, batch.rows.take(chosen), batch.envelope, batch.deadline_ns, refuse_all=because
            )
            at = np.cumsum(chosen) - 1
            lane.allocator.spend(mine[goes[at[mine["row"]]]])
        lane.done(units)

    def _release_all(
        self, shard: Shard, rows: Wanted, envelope: Envelope, deadline_ns: int, *, is_queried: bool = False,
        refuse_all: EdgeRefusal = EdgeRefusal.NONE,
    ) -> NDArray[np.bool_]:  # fmt: skip
        """Make orders SENT, or refuse them, one of each account and instrument after the other; return which go."""
        left = np.ones(rows.slots.size, bool)
        goes = np.zeros(rows.slots.size, bool)
        refuse_all = refuse_all or self._refusal(self._edge.time.now_ns(), deadline_ns)
        while left.any():
            rest = np.flatnonzero(left)
            rest = rest[first_of_each_pair(rows.take(left))]
            left[rest] = False
            chosen = np.zeros(left.size, bool)
            chosen[rest] = True
            now = self._circumstances(shard, refuse_all)
            goes[rest] = self._release(shard, rows.take(chosen), now, envelope, deadline_ns, is_queried)
        return goes

    def _circumstances(self, shard: Shard, refuse_all: EdgeRefusal) -> Circumstances:
        is_halted = not self._edge.switch.is_clear()
        return Circumstances(refuse_all, is_halted, self._sessions(shard), shard.reconciled, self._cannot(shard))

    def _cannot(self, shard: Shard) -> NDArray[np.bool_]:
        """Return which accounts are of a kind that their broker has not."""
        memory = shard.memory
        cannot = np.zeros(memory.numbers.size, bool)
        for name, link in self._edge.links.items():
            can = link.broker.capabilities
            if not (can.hedging and can.netting):
                wrong = ~memory.hedging if can.hedging else memory.hedging
                cannot |= wrong & memory.of_broker(name)
        return cannot

    def _release(
        self, shard: Shard, rows: Wanted, now: Circumstances, envelope: Envelope, deadline_ns: int, is_queried: bool
    ) -> NDArray[np.bool_]:
        now_ns = self._edge.time.now_ns()
        going = np.zeros(rows.slots.size, bool)
        passed = rows.column("decision") <= shard.memory.marks[rows.instruments, rows.slots]
        if passed.any():
            told, gated = recorded(shard.memory, rows.take(passed))
            if gated:
                shard.write(Gate(accounts=gated, reason="a decision number was used for two orders"), now_ns)
            self._tell(shard, told, now_ns)
            rows = rows.take(~passed)
        if not rows.slots.size:
            return going
        codes = np.zeros(rows.slots.size, np.int64) if is_queried else codes_of(shard.memory, rows, now)
        slice_ = slice_of(rows, codes, now.sessions, cause=envelope.id, deadline_ns=deadline_ns, is_queried=is_queried)
        shard.write(slice_, now_ns)
        self._refuse(shard, rows.take(codes != 0), codes[codes != 0], now_ns)
        if is_queried:
            told = Rows.of(shard.memory)
            self._say(told, rows, ReportKind.UNKNOWN, np.zeros_like(codes), now_ns)
            self._tell(shard, told, now_ns)
        else:
            goes = codes == 0
            going[~passed] = goes
            self._put_out(shard, rows.take(goes), shard.memory.ids.ids[-codes.size :][goes], deadline_ns)
        return going

    def _put_out(self, shard: Shard, rows: Wanted, ids: Ids, deadline_ns: int) -> None:
        if not rows.slots.size:
            return
        for name, link in self._edge.links.items():
            theirs = shard.memory.of_broker(name)[rows.slots]
            if theirs.any():
                self._outbound.append(_Outbound(shard, link, link.session, deadline_ns, rows.take(theirs), ids[theirs]))

    def _write(self, batch: list[_Outbound]) -> None:
        edge, link, session = self._edge, batch[0].link, batch[0].session
        crash.point("edge.before-write")
        may_go: list[_Outbound] = []
        for each in batch:
            code = self._refusal(edge.time.now_ns(), each.deadline_ns)
            if code is EdgeRefusal.NONE and edge.time.monotonic_ns() >= each.shard.lease_ends_ns:
                code = EdgeRefusal.LEASE_LOST
            if code is EdgeRefusal.NONE and link.session != session:
                code = EdgeRefusal.NO_SESSION
            codes = np.full(each.rows.slots.size, int(code))
            if code is EdgeRefusal.NONE and not edge.switch.is_clear():
                codes[each.rows.column("reduce_only") == 0] = EdgeRefusal.KILL_SWITCH
            stays = codes != 0
            self._refuse(each.shard, each.rows.take(stays), codes[stays], edge.time.now_ns())
            if not stays.all():
                each.rows, each.client_ids = each.rows.take(~stays), each.client_ids[~stays]
                may_go.append(each)
        if may_go:
            link.submit(_joined(may_go))
        crash.point("edge.after-write")

    def _refusal(self, now_ns: int, deadline_ns: int) -> EdgeRefusal:
        if now_ns >= deadline_ns:
            return EdgeRefusal.DEADLINE_PASSED
        return EdgeRefusal.NONE if self._edge.time.is_trusted() else EdgeRefusal.CLOCK_STEPPED

    def _sessions(self, shard: Shard) -> Ints:
        sessions = np.zeros(shard.memory.numbers.size, np.int64)
        for name, link in self._edge.links.items():
            sessions[shard.memory.of_broker(name)] = link.session
        return sessions

    def _refuse_strangers(self, shard: Shard, message: OrdersReleased, rows: NDArray[np.bool_], now_ns: int) -> None:
        told = Rows.of(shard.memory)
        for at in np.flatnonzero(rows).tolist():
            instrument = int(message.instrument[at]) if message.instrument.size else 0
            told.add(
                int(message.account[at]), told.name(message.terms[instrument].id), int(message.decision[at]),
                ReportKind.REFUSED, code=EdgeRefusal.NO_SESSION, at_ns=now_ns,
            )  # fmt: skip
        self._tell(shard, told, now_ns)

    def _refuse(self, shard: Shard, rows: Wanted, codes: Ints, now_ns: int) -> None:
        if rows.slots.size:
            told = Rows.of(shard.memory)
            self._say(told, rows, ReportKind.REFUSED, codes, now_ns)
            self._tell(shard, told, now_ns)

    def _say(self, told: Rows, rows: Wanted, kind: ReportKind, codes: Ints, now_ns: int) -> None:
        n = rows.slots.size
        told.add_columns(
            account=rows.column("account"),
            instrument=rows.instruments,
            decision=rows.column("decision"),
            kind=np.full(n, int(kind)),
            at_ns=np.full(n, now_ns),
            code=codes,
        )

    def _tell(self, shard: Shard, told: Rows, now_ns: int) -> None:
        message = told.message()
        if message is not None:
            shard.write(message, now_ns)


def _joined(batch: list[_Outbound]) -> Orders:
    """Return the orders of several slices as one, with their instruments brought together."""
    terms = {each.id: each for part in batch for each in part.rows.terms}
    places = {name: place for place, name in enumerate(terms)}
    instruments = []
    for part in batch:
        of_part = np.array([places[each.id] for each in part.rows.terms], np.int64)
        instruments.append(of_part[part.rows.column("instrument")])
    nothing = np.zeros(sum(part.client_ids.size for part in batch), np.int64)
    there = {name for part in batch for name in part.rows.columns}
    columns = {
        name: np.concatenate([part.rows.column(name) for part in batch]) if name in there else nothing
        for name in ("account", *CONTENT)
    }
    return Orders(
        session=batch[0].session,
        deadline_ns=batch[0].deadline_ns,
        terms=list(terms.values()),
        client_ids=np.concatenate([part.client_ids for part in batch]),
        account=columns["account"],
        instrument=np.concatenate(instruments),
        steps=columns["steps"],
        kind=columns["order_type"],
        limit_ticks=columns["limit_ticks"],
        stop_ticks=columns["stop_ticks"],
        time_in_force=columns["time_in_force"],
        expires_ns=columns["expires_ns"],
        reduce_only=columns["reduce_only"],
        trail_ticks=columns["trail_ticks"],
        base_steps=columns["base_steps"],
        tag=columns["tag"],
    )
