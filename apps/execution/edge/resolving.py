"""How the edge learns what became of orders: reports, answers to its questions, statements, and time that has passed.

An order that is SENT and not answered becomes UNKNOWN: after a crash, a lost connection, or a wait. Its broker is asked
for it by its id. It has *never arrived* only where a session that began after its own says so, since a new session
proves the old one closed, and not before its deadline and a settle window have passed. Until then it stays UNKNOWN.
"""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from apps.execution.book_contracts import Resolution, ResolutionAsked
from apps.execution.contracts import AccountsReconciled, ReportKind
from apps.execution.edge.entries import Adopted, Covered, Gate, Reconciled
from apps.execution.edge.link import Link
from apps.execution.edge.memory import OrderState
from apps.execution.edge.port import Answer, Executions, SessionBegan, Statement
from apps.execution.edge.reports import Adoption, Rows, taken, told_by_broker
from apps.execution.edge.sending import Sending
from apps.execution.edge.shard import Shard
from banyan.codec import encode_message
from banyan.columns import Ints

if TYPE_CHECKING:
    from apps.execution.edge.edge import Edge

_LOGGER = logging.getLogger(__name__)


class Resolving:
    """What an edge does with what it hears, and with what it does not hear."""

    def __init__(self, edge: "Edge", sending: Sending) -> None:
        self._edge = edge
        self._sending = sending
        self._recheck_at_ns = 0
        self._silence_at_ns = 0
        none = np.zeros(0, np.int64)
        self._owners: tuple[tuple[tuple[str, int], ...], Ints, Ints] = ((), none, none)

    def found_at_start(self, shard: Shard) -> None:
        """Make what was SENT before this process knew the shard UNKNOWN."""
        self._make_unknown(shard, _sent(shard))

    def lost(self, link: Link) -> None:
        """Note that a connection is gone: what was on its way is UNKNOWN, and no account of it is reconciled."""
        for shard in self._edge.shards.values():
            of_link = _of(shard, link)
            shard.reconciled[of_link] = False
            self._make_unknown(shard, _sent(shard, link))

    def session_began(self, link: Link, began: SessionBegan) -> None:
        """Take a session over: ask for every order that has not ended, then for what accounts hold."""
        link.is_logging_in = False
        if link.open_missing(began.missing):
            link.log_in(self._edge.time.monotonic_ns())
            return
        link.session = began.session
        link.statement = 0
        link.reconcile_at_ns = 0
        for shard in self._edge.shards.values():
            rows = _sent(shard, link)
            self._make_unknown(shard, rows[shard.memory.orders.rows["session"][rows] != link.session])
        self._ask(link, only_unknown=False)

    def book(self, link: Link, told: Executions) -> None:
        """Report what a broker says of orders."""
        now_ns = self._edge.time.now_ns()
        for shard, part in self._by_shard(told):
            adoption = Adoption()
            upto = shard.memory.upto.get(link.broker.name, 0)
            message = told_by_broker(shard.memory, part, upto, adoption).message()
            if adoption.accounts:
                _LOGGER.warning(
                    "edge/%s: %d orders are ours, and known to their broker only", shard.key, len(adoption.accounts)
                )
                adopted = Adopted(
                    accounts=adoption.accounts, instruments=adoption.instruments, decisions=adoption.decisions
                )
                shard.write(adopted, now_ns)
            if message is not None:
                shard.write(message, now_ns)

    def _by_shard(self, told: Executions) -> Iterator[tuple[Shard, Executions]]:
        """Yield the shards whose accounts are told of, each with its own rows."""
        shards = list(self._edge.shards.values())
        sizes = tuple((shard.key, shard.memory.numbers.size) for shard in shards)
        if self._owners[0] != sizes:
            numbers = np.concatenate([shard.memory.numbers for shard in shards] or [told.account[:0]])
            order = np.argsort(numbers, kind="stable")
            owner = np.repeat(np.arange(len(shards)), [size for _, size in sizes])
            self._owners = sizes, numbers[order], owner[order]
        _, numbers, owner = self._owners
        if not numbers.size:
            return
        at = np.minimum(np.searchsorted(numbers, told.account), numbers.size - 1)
        owners = np.where(numbers[at] == told.account, owner[at], -1)
        order = np.argsort(owners, kind="stable")
        ends = np.searchsorted(owners[order], np.arange(len(shards) + 1))
        for shard, first, last in zip(shards, ends, ends[1:], strict=False):
            if first < last:
                yield shard, taken(told, order[first:last])

    def answered(self, link: Link, answer: Answer) -> None:
        """Take the answer to a question: adopt what is known, and give up what can never arrive any more."""
        asked = link.asked.pop(answer.request, None)
        link.waits_since_ns = 0
        self.book(link, answer.executions)
        if asked is None:
            return
        now_ns = self._edge.time.now_ns()
        missing = answer.known == 0
        for shard in self._edge.shards.values():
            rows = shard.memory.ids.find(asked.client_ids[missing])
            rows = rows[rows >= 0]
            orders = shard.memory.orders.rows[rows]
            unknown = orders["state"] == OrderState.UNKNOWN
            proven = (orders["session"] < answer.session) & (
                now_ns >= orders["deadline_ns"] + self._edge.settings.settle_ns
            )
            self._tell(shard, rows[unknown & proven], ReportKind.NEVER_ARRIVED)
            self._gate_forgotten(shard, rows[orders["state"] == OrderState.WORKING])
            if self._to_cancel(shard, link).size:
                link.reconcile_at_ns = 0  # with that they are asked for again

    def stated(self, link: Link, statement: Statement) -> None:
        """Book a statement: what happened meanwhile, then what each account holds that has nothing on its way."""
        self.book(link, statement.executions)
        if statement.request != link.statement:
            return
        link.statement = link.waits_since_ns = 0
        settings, now_ns = self._edge.settings, self._edge.time.monotonic_ns()
        busy = link.busy_when_asked | self._busy(link)
        for shard in self._edge.shards.values():
            self._reconcile(shard, link, statement, busy)
            self._cancel_again(shard, link)
        link.reconcile_at_ns = now_ns + (settings.reconcile_ns if self._is_whole(link) else settings.recheck_ns)

    def tick(self, *, has_sent: bool = False) -> bool:
        """Do what time has brought: silence, questions to ask again, statements to ask for.

        No statement is asked for right after sending, unless it is late: it would find these accounts busy.
        """
        edge, now_ns = self._edge, self._edge.time.monotonic_ns()
        did = False
        if now_ns >= self._silence_at_ns:
            self._silence_at_ns = now_ns + edge.settings.answer_ns_max // 10
            did |= self._end_silence()
        if now_ns >= self._recheck_at_ns:
            self._recheck_at_ns = now_ns + edge.settings.recheck_ns
            for link in edge.links.values():
                if link.session:
                    self._recheck(link)
        for link in edge.links.values():
            link.give_up_waiting(now_ns, edge.settings.reply_ns_max)
            due_ns = self._reconcile_at_ns(link) + (edge.settings.reconcile_full_ns if has_sent else 0)
            if link.session and not link.statement and now_ns >= due_ns:
                did = True
                name = link.broker.name
                upto = [shard.memory.upto.get(name, 0) for shard in edge.shards.values() if _of(shard, link).any()]
                link.ask_statement(min(upto, default=0), self._busy(link))
        return did

    def _end_silence(self) -> bool:
        """Make orders UNKNOWN of which their broker should have said something by now; tell whether there are any."""
        edge, did = self._edge, False
        for shard in edge.shards.values():
            rows = _sent(shard)
            silent = shard.memory.orders.rows["sent_ns"][rows] < edge.time.now_ns() - edge.settings.answer_ns_max
            did |= self._make_unknown(shard, rows[silent])
        return did

    def _reconcile_at_ns(self, link: Link) -> int:
        settings, shards = self._edge.settings, self._edge.shards.values()
        if all(shard.memory.orders.size - shard.memory.covered < settings.orders_max for shard in shards):
            return link.reconcile_at_ns
        return link.reconcile_at_ns - settings.reconcile_ns + settings.reconcile_full_ns

    def ask_again(self, shard: Shard, accounts: Ints) -> None:
        """Ask brokers anew, after a restore, for what is open of accounts, and let them trade when that is known."""
        rows = shard.memory.open_rows()
        orders = shard.memory.orders.rows[rows]
        asked = np.isin(shard.memory.numbers[orders["slot"]], accounts) & (orders["state"] != OrderState.UNKNOWN)
        self._make_unknown(shard, rows[asked])
        shard.reconciled[np.isin(shard.memory.numbers, accounts)] = False

    def resolve(self, shard: Shard, asked: ResolutionAsked) -> None:
        """Do what a person says of an order, if it is UNKNOWN still, and tell what came of it.

        That it never arrived is not taken from anybody before its deadline and the settle window have passed: it may
        be on its way. What comes of it all the same later is adopted, as ever.
        """
        rows = _named(shard, asked)
        state = OrderState(int(shard.memory.orders.rows["state"][rows[0]])) if rows.size else None
        if state is OrderState.UNKNOWN:
            kind, answer = self._answer(shard, asked, rows)
        else:
            kind, answer = ReportKind.ACCEPTED, "too late: its broker has told of it meanwhile"
        name = f"order {asked.decision} of account {asked.account} in {asked.instrument}"
        _LOGGER.warning("edge/%s: %s: %s: %s", shard.key, name, asked.reason, answer)
        if state in (OrderState.UNKNOWN, OrderState.WORKING):  # of what has ended its end tells
            self._tell(shard, rows, kind, answer=f"{_SAID[Resolution(asked.how)]}: {answer}")

    def _answer(self, shard: Shard, asked: ResolutionAsked, rows: Ints) -> tuple[ReportKind, str]:
        """Return what an UNKNOWN order is from here on by a person's word, and what came of that in words."""
        orders = shard.memory.orders.rows[rows]
        how = Resolution(asked.how)
        left_ns = int(orders["deadline_ns"][0]) + self._edge.settings.settle_ns - self._edge.time.now_ns()
        if how is Resolution.ADOPT:
            return ReportKind.ACCEPTED, "taken to be working at its broker"
        if how is Resolution.RESOLVE and left_ns <= 0:
            return ReportKind.NEVER_ARRIVED, "taken never to have arrived"
        if how is Resolution.RESOLVE:
            seconds = -(-left_ns // 1_000_000_000)
            return ReportKind.UNKNOWN, f"not taken: it may arrive within {seconds} s still; say so again after that"
        link = self._edge.links.get(str(shard.memory.brokers[orders["slot"][0]]))
        if link is None or not link.session:
            return ReportKind.UNKNOWN, "not asked for: its broker is not connected; it is asked as soon as it is"
        if not link.broker.capabilities.client_id_lookup:
            return ReportKind.UNKNOWN, "not asked for: its broker finds no order by our id; look there, and say so"
        link.query(shard.memory.ids_of_rows(rows), shard.memory.numbers[orders["slot"]])
        return ReportKind.UNKNOWN, "its broker is asked for it"

    def patience_ns(self) -> int:
        """Return when there is something to do next, at the latest."""
        now_ns = self._edge.time.monotonic_ns()
        dues = [
            link.reconcile_at_ns - now_ns for link in self._edge.links.values() if link.session and not link.statement
        ]
        return max(0, min([self._recheck_at_ns - now_ns, *dues]))

    def _recheck(self, link: Link) -> None:
        """Ask again for UNKNOWN orders; where only a newer session could tell of one, begin it."""
        edge = self._edge
        settled_ns = edge.time.now_ns() - edge.settings.settle_ns
        for shard in edge.shards.values():
            rows = _unknown(shard, link)
            orders = shard.memory.orders.rows[rows]
            waits = (orders["deadline_ns"] <= settled_ns) & (orders["session"] >= link.session)
            if waits.any() and link.broker.capabilities.login_epochs and not link.is_logging_in:
                link.log_in(edge.time.monotonic_ns())
                return
        if not link.asked:
            self._ask(link, only_unknown=True)

    def _ask(self, link: Link, *, only_unknown: bool) -> None:
        if not link.broker.capabilities.client_id_lookup:
            return
        ids, accounts = [], []
        for shard in self._edge.shards.values():
            rows = _unknown(shard, link) if only_unknown else _open(shard, link)
            ids.append(shard.memory.ids_of_rows(rows))
            accounts.append(shard.memory.numbers[shard.memory.orders.rows["slot"][rows]])
        if sum(each.size for each in ids):
            link.query(np.concatenate(ids), np.concatenate(accounts))

    def _reconcile(self, shard: Shard, link: Link, statement: Statement, busy: set[int]) -> None:
        memory = shard.memory
        numbers = memory.numbers[_of(shard, link)]
        at_peace = numbers[~np.isin(numbers, list(busy | link.absent))] if busy or link.absent else numbers
        if not at_peace.size:
            if numbers.size:
                shard.write(Covered(broker=link.broker.name, upto=statement.upto), self._edge.time.now_ns())
            return
        held = np.isin(statement.account, at_peace)
        used, instrument = np.unique(statement.instrument[held], return_inverse=True)
        message = AccountsReconciled(
            instruments=[statement.instruments[each] for each in used.tolist()],
            account=statement.account[held],
            instrument=instrument.astype(np.int64),
            steps=statement.steps[held],
            accounts=at_peace,
        )
        line = Reconciled(broker=link.broker.name, upto=statement.upto, message=encode_message(message))
        shard.write(line, self._edge.time.now_ns())
        shard.reconciled[memory.slots(at_peace)] = True

    def _is_whole(self, link: Link) -> bool:
        """Tell whether all accounts that the broker has are reconciled."""
        for shard in self._edge.shards.values():
            missing = shard.memory.numbers[_of(shard, link) & ~shard.reconciled]
            if not np.isin(missing, list(link.absent)).all():
                return False
        return True

    def _cancel_again(self, shard: Shard, link: Link) -> None:
        """Ask once more to cancel what works still and was to be cancelled: a cancel harms nobody twice."""
        pending = self._to_cancel(shard, link)
        if pending.size:
            self._sending.ask_to_cancel(shard, pending)

    def _to_cancel(self, shard: Shard, link: Link) -> Ints:
        rows = _open(shard, link)
        orders = shard.memory.orders.rows[rows]
        return rows[(orders["state"] == OrderState.WORKING) & (orders["cancelling"] != 0)]

    def _gate_forgotten(self, shard: Shard, rows: Ints) -> None:
        if rows.size:
            accounts = np.unique(shard.memory.numbers[shard.memory.orders.rows["slot"][rows]]).tolist()
            gate = Gate(accounts=accounts, reason="the broker does not know an order that it had accepted")
            if any(account not in shard.memory.gated for account in accounts):
                shard.write(gate, self._edge.time.now_ns())

    def _busy(self, link: Link) -> set[int]:
        """Return the accounts of a link with an order of which nobody knows yet whether it arrived."""
        busy: set[int] = set()
        for shard in self._edge.shards.values():
            rows = _open(shard, link)
            orders = shard.memory.orders.rows[rows]
            busy.update(shard.memory.numbers[orders["slot"][orders["state"] != OrderState.WORKING]].tolist())
        return busy

    def _make_unknown(self, shard: Shard, rows: Ints) -> bool:
        return self._tell(shard, rows, ReportKind.UNKNOWN)

    def _tell(self, shard: Shard, rows: Ints, kind: ReportKind, answer: str = "") -> bool:
        if not rows.size:
            return False
        now_ns = self._edge.time.now_ns()
        told = Rows.of(shard.memory)
        told.add_orders(shard.memory, rows, kind, now_ns)
        if answer:
            told.answer(answer)
        message = told.message()
        assert message is not None
        shard.write(message, now_ns)
        return True


_SAID = {
    Resolution.QUERY: "a person asked for it",
    Resolution.ADOPT: "a person said that its broker has it",
    Resolution.RESOLVE: "a person said that it never arrived",
}


def _named(shard: Shard, asked: ResolutionAsked) -> Ints:
    """Return the row of an order that is called by its account, instrument and decision; none where there is none."""
    memory, slots = shard.memory, shard.memory.slots(np.array([asked.account], np.int64))
    instrument = memory.instruments.get(asked.instrument, -1)
    if slots[0] < 0 or instrument < 0:
        return np.zeros(0, np.int64)
    rows = memory.ids.find(memory.client_ids(slots, np.array([instrument]), np.array([asked.decision])))
    return rows[rows >= 0]


def _of(shard: Shard, link: Link) -> NDArray[Any]:
    """Return which of a shard's accounts trade over a link."""
    return shard.memory.of_broker(link.broker.name)


def _open(shard: Shard, link: Link) -> Ints:
    rows = shard.memory.open_rows()
    return rows[_of(shard, link)[shard.memory.orders.rows["slot"][rows]]] if rows.size else rows


def _unknown(shard: Shard, link: Link) -> Ints:
    rows = _open(shard, link)
    return rows[shard.memory.orders.rows["state"][rows] == OrderState.UNKNOWN]


def _sent(shard: Shard, link: Link | None = None) -> Ints:
    rows = shard.memory.open_rows() if link is None else _open(shard, link)
    return rows[shard.memory.orders.rows["state"][rows] == OrderState.SENT]
