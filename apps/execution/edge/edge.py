"""The edge: it owns the brokers' sessions and the ledger of what was sent, and sends each order at most once.

A host gives it released orders and cancels by `handle`, calls `poll` whenever a socket is readable, something was
handed in or `patience_ns` has passed, and takes what is to be told from `outgoing`. A round takes what brokers have
said, checks what was handed in, commits everything in one statement (SENT among it), and only then writes to brokers.
Killed at any point it loses nothing: inputs that were not taken are behind `marks`, messages that were not handed on
are `missed`, and an order that was SENT and not answered is UNKNOWN, asked for, and never sent again.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import psycopg

from apps.execution.book_contracts import ResolutionAsked
from apps.execution.contracts import AccountOpened, AccountsGated, CancelsReleased, GatesLifted, OrdersReleased
from apps.execution.edge.entries import Gate, Opened
from apps.execution.edge.ledger import Incarnation, Ledger
from apps.execution.edge.link import Link
from apps.execution.edge.memory import SNAPSHOT_VERSION
from apps.execution.edge.port import Answer, Broker, Executions, NewAccount, SessionBegan, Statement
from apps.execution.edge.reports import merged
from apps.execution.edge.resolving import Resolving
from apps.execution.edge.sending import Sending
from apps.execution.edge.shard import Held, Outgoing, Shard, UnreadableLedgerError, load
from apps.execution.edge.timekeeper import Timekeeper
from banyan import crash
from banyan.clock import Clock
from banyan.codec import Envelope
from banyan.host.streams import Verdict, judge
from banyan.messages import Message

_LOGGER = logging.getLogger(__name__)
HANDLED = (OrdersReleased, CancelsReleased, AccountOpened, AccountsGated, GatesLifted, ResolutionAsked)


class Switch(Protocol):
    """The kill switch, as the edge asks it right before it writes."""

    def is_clear(self) -> bool:
        """Tell whether new orders may go out. What has not been heard of lately is not clear."""

    def fileno(self) -> int:
        """Return what to select for reading; -1 where there is nothing to hear."""

    def close(self) -> None:
        """Stop listening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """How an edge works; times in ns."""

    answer_ns_max: int = 1_000_000_000
    """How long an order may be without answer before it is UNKNOWN."""
    settle_ns: int = 2_000_000_000
    """How long after its deadline an order may still turn up."""
    recheck_ns: int = 500_000_000
    reply_ns_max: int = 5_000_000_000
    """How long a broker may take to answer a question before it is asked again."""
    reconcile_ns: int = 30_000_000_000
    reconcile_full_ns: int = 5_000_000_000
    """The same where a shard has taken on `orders_max` since: what no statement has covered cannot be forgotten."""
    clock_bound_ns: int = 1_000_000_000
    distrust_ns: int = 10_000_000_000
    """How long nothing is sent after the clock was set: until all deadlines that were given before have passed."""
    deadline_ns: int = 5_000_000_000
    """Of orders whose sender gave none."""
    lease_margin_ns: int = 500_000_000
    snapshot_every: int = 1_000
    quiet_ns: int = 50_000_000
    """For how long nothing was done when a snapshot is kept: within a signal its orders and their fills would wait.

    Nor are they kept one right after the other: shards come to theirs together, and would not be done in a pause."""
    orders_max: int = 5_000
    """How many orders a shard takes on before those that have ended are forgotten.

    Where more than twice as many have not ended long enough ago, half of what was kept the last time: all of that is
    written anew.
    """


class Edge:
    """The edge of some shards. One thread calls everything."""

    def __init__(
        self, ledger: Ledger, brokers: Sequence[Broker], switch: Switch, clock: Clock, *, owner: str,
        settings: EdgeSettings | None = None,
    ) -> None:  # fmt: skip
        self.ledger = ledger
        self.settings = settings or EdgeSettings()
        self.time = Timekeeper(clock, self.settings.clock_bound_ns)
        self._clock = clock
        self._stepped_ns = 0
        self._distrusts_until_ns = 0
        self.switch = switch
        self.shards: dict[str, Shard] = {}
        self.gaps: set[str] = set()
        """Keys whose senders have something that is missing here: fetch it after `marks`."""
        self.outgoing: list[Outgoing] = []
        self.is_gone: Callable[[str], bool] = lambda _: False
        """Tells whether another edge has certainly ended, so that its leases are free."""
        self.links = {broker.name: Link(broker, self._lost) for broker in brokers}
        self._owner = owner
        self._wanted: tuple[str, ...] = ()
        self._incarnation = Incarnation(0, 0)
        self._renewed_ns: int | None = None
        self._worked_ns = 0
        self._sending = Sending(self)
        self._resolving = Resolving(self, self._sending)

    # ---- for the host ----

    def open(self, keys: Iterable[str]) -> None:
        """Want these shards: each is taken and rebuilt in a `poll`, as soon as its lease is free."""
        self._wanted = tuple(keys)
        self._renewed_ns = None

    def handle(self, envelope: Envelope, message: Message) -> None:
        """Let a message wait for the next `poll`. One of a shard that is not held is left where it came from."""
        assert isinstance(message, HANDLED), message
        shard = self.shards.get(envelope.key)
        if shard is not None:
            shard.waiting.append((envelope, message))

    def poll(self) -> bool:
        """Do one round; tell whether anything was done.

        Raises psycopg.OperationalError while the ledger cannot be reached: nothing is sent then, call again later.
        """
        try:
            self.switch.is_clear()  # so that it hears what it is told
            self._watch_clock()
            self._keep_leases()
            # What waits has a deadline, and goes first; what brokers have said meanwhile is not lost.
            sent = any(shard.waiting for shard in self.shards.values()) and self._send()
            did = self._listen() or sent
            did |= self._resolving.tick(has_sent=sent)
            did |= self._send()
        except psycopg.Error:
            self._forget("the ledger cannot be reached")
            raise
        if did:
            self._worked_ns = self.time.monotonic_ns()
        return self._keep_snapshots() or did

    def filenos(self) -> list[int]:
        """Return what to select for reading."""
        found = [link.broker.fileno() for link in self.links.values()]
        return [number for number in (self.switch.fileno(), *found) if number >= 0]

    def patience_ns(self) -> int:
        """Return after how long to call `poll` where nothing comes in."""
        if any(shard.waiting or shard.lines for shard in self.shards.values()):
            return 0
        return min(self.settings.recheck_ns, self._resolving.patience_ns(), self._sending.patience_ns())

    def marks(self, key: str) -> dict[tuple[str, str], tuple[int, int]]:
        """Return (epoch, position) by (sender, its key): how far a shard has taken what it was sent."""
        return dict(self.shards[key].streams) if key in self.shards else {}

    def lift_gate(self, key: str, accounts: list[int]) -> None:
        """Let accounts trade again that were gated for using a decision number twice: a person's decision."""
        self.shards[key].write(Gate(accounts=accounts, reason=""), self.time.now_ns())

    def reconcile(self) -> None:
        """Compare all accounts with their brokers now."""
        for link in self.links.values():
            link.reconcile_at_ns = 0

    def close(self) -> None:
        """Hang up, keep snapshots, give the leases back."""
        self._commit()
        for link in self.links.values():
            link.broker.close()
        for shard in self.shards.values():
            self._keep_snapshot(shard)
        self.ledger.release({shard.key: shard.epoch for shard in self.shards.values()})
        self.shards.clear()
        self.switch.close()
        self.ledger.close()

    # ---- rounds ----

    def _send(self) -> bool:
        """Take what waits and write what may go, once SENT is committed; tell whether anything was done."""
        did = self._take_waiting()
        did |= self._sending.dispatch()
        self._commit()
        self._sending.write()
        self._commit()
        return did

    def _listen(self) -> bool:
        did = False
        for link in self.links.values():
            link.keep_up(self.time.monotonic_ns())
            for event in merged(link.receive(self.time.monotonic_ns())):
                did = True
                match event:
                    case SessionBegan():
                        self._resolving.session_began(link, event)
                    case Executions():
                        self._resolving.book(link, event)
                    case Answer():
                        self._resolving.answered(link, event)
                    case Statement():
                        self._resolving.stated(link, event)
        return did

    def _take_waiting(self) -> bool:
        did = False
        if any(link.is_changing_sessions() for link in self.links.values()):
            return did
        for shard in self.shards.values():
            while shard.waiting:
                envelope, message = shard.waiting.popleft()
                did = True
                verdict = judge(shard.streams.get((envelope.sender, envelope.sender_key), (0, 0)), envelope)
                if not envelope.number or verdict is Verdict.APPLY:
                    self._take(shard, envelope, message)
                elif verdict is Verdict.HOLD:
                    self.gaps.add(shard.key)
        return did

    def _take(self, shard: Shard, envelope: Envelope, message: Message) -> None:
        if envelope.epoch < shard.streams.get((envelope.sender, envelope.sender_key), (0, 0))[0]:
            _LOGGER.warning("edge/%s: %s %s is of an epoch that has ended", shard.key, envelope.name, envelope.id)
            return
        waits: Sequence[Held] = ()
        match message:
            case OrdersReleased():
                waits = self._sending.release(shard, envelope, message, self._life())
            case CancelsReleased():
                self._sending.cancel(shard, envelope, message)
            case AccountOpened():
                self._open_account(shard, message)
            case AccountsGated():
                self._resolving.ask_again(shard, message.account)
                self.reconcile()
            case GatesLifted():
                self.lift_gate(shard.key, message.account.tolist())
            case ResolutionAsked():
                self._resolving.resolve(shard, message)
        shard.take(envelope, waits)

    def _open_account(self, shard: Shard, message: AccountOpened) -> None:
        if message.number in self._accounts_of(shard) or message.broker not in self.links:
            return
        opened = Opened(
            numbers=[message.number],
            accounts=[message.account],
            brokers=[message.broker],
            deposits_micro=[message.balance_micro],
            fee_rates_e9=[message.fee_rate_e9],
            currencies=[message.currency],
            hedging=[message.hedging],
            vias=[message.via],
        )
        shard.write(opened, self.time.now_ns())
        self._join(shard, len(shard.memory.accounts) - 1)

    def _accounts_of(self, shard: Shard) -> set[int]:
        return {account.number for account in shard.memory.accounts}

    def _join(self, shard: Shard, first: int) -> None:
        """Let the links trade for a shard's accounts from `first` on."""
        for account in shard.memory.accounts[first:]:
            link = self.links.get(account.broker)
            if link is not None:
                link.accounts[account.number] = NewAccount(
                    account.number,
                    account.deposit_micro,
                    account.fee_rate_e9,
                    account.currency,
                    account.hedging,
                    account.via,
                )
                link.is_stale = True

    def _lost(self, link: Link) -> None:
        self._resolving.lost(link)

    # ---- the ledger ----

    def _life(self) -> Incarnation:
        if not self._incarnation.number:
            self._incarnation = self.ledger.incarnation(self.time.now_ns())
        return self._incarnation

    def _commit(self) -> None:
        news = [shard for shard in self.shards.values() if shard.has_news()]
        if not news:
            return
        began_ns = self.time.monotonic_ns()
        lines = [line for shard in news for line in shard.lines]
        streams = {(shard.key, *stream): mark for shard in news for stream, mark in shard.moved_streams.items()}
        crash.point("edge.before-commit")
        moved = self.ledger.commit([shard.moved() for shard in news], lines, streams)
        crash.point("edge.after-commit")
        for shard in news:
            if shard.key in moved:
                shard.lease_ends_ns = self._lease_end(began_ns)
                self.outgoing += shard.settle()
            else:
                self._lose(shard.key)

    def _lease_end(self, began_ns: int) -> int:
        return began_ns + int(self.ledger.lease_seconds * 1e9) - self.settings.lease_margin_ns

    def _keep_leases(self) -> None:
        now_ns = self.time.monotonic_ns()
        missing = [key for key in self._wanted if key not in self.shards]
        is_time = self._renewed_ns is None or now_ns - self._renewed_ns >= self.ledger.lease_seconds * 1e9 / 3
        if not is_time:
            return
        self._renewed_ns = now_ns
        if self.shards:
            held = self.ledger.renew({shard.key: shard.epoch for shard in self.shards.values()})
            for key in list(self.shards.keys() - held):
                self._lose(key)
            for key in held:
                self.shards[key].lease_ends_ns = self._lease_end(now_ns)
        for row in self.ledger.take(missing, self._owner, self.is_gone) if missing else ():
            try:
                shard = load(self.ledger, row, self._life().number)
            except UnreadableLedgerError as problem:
                _LOGGER.error("%s", problem)  # noqa: TRY400  (where in the code it was found helps nobody)
                self._wanted = tuple(key for key in self._wanted if key != row.key)
                self.ledger.release({row.key: row.epoch})
                continue
            shard.lease_ends_ns = self._lease_end(now_ns)
            self.shards[row.key] = shard
            self.gaps.add(row.key)
            self._join(shard, 0)
            self._sending.remember(shard)
            self._resolving.found_at_start(shard)

    def _lose(self, key: str) -> None:
        _LOGGER.warning("edge/%s: another edge has taken the lease", key)
        shard = self.shards.pop(key)
        for account in shard.memory.accounts:
            if account.broker in self.links:
                self.links[account.broker].accounts.pop(account.number, None)
        self._sending.forget(shard)

    def _watch_clock(self) -> None:
        """Begin anew some time after the clock was set: until then all that is handed in is refused."""
        step_ns, now_ns = self.time.step_ns(), self.time.monotonic_ns()
        if self.time.is_trusted():
            self._stepped_ns = 0
        elif abs(step_ns - self._stepped_ns) > self.settings.clock_bound_ns:
            self._stepped_ns = step_ns
            self._distrusts_until_ns = now_ns + self.settings.distrust_ns
            _LOGGER.error(
                "edge: the machine's clock was set by %+.1f s: nothing is sent for %.0f s, then by the new time",
                step_ns / 1e9, self.settings.distrust_ns / 1e9,
            )  # fmt: skip
        elif now_ns >= self._distrusts_until_ns:
            self._stepped_ns = 0
            self.ledger.release({shard.key: shard.epoch for shard in self.shards.values()})
            self._forget("the clock was set")
            self.time = Timekeeper(self._clock, self.settings.clock_bound_ns)

    def _forget(self, because: str) -> None:
        """Throw all memory away: the ledger tells what was committed, and the brokers what has happened since."""
        for shard in list(self.shards.values()):
            self.gaps.add(shard.key)
            self._sending.forget(shard)
        self.shards.clear()
        for link in self.links.values():
            link.accounts.clear()
            link.lose(because, self.time.monotonic_ns())
        self._renewed_ns = None
        self.ledger.close()

    def _keep_snapshots(self) -> bool:
        """Keep the snapshot of a shard that has had enough of news, in quiet if it can wait; tell whether it did."""
        is_quiet = self.time.monotonic_ns() - self._worked_ns >= self.settings.quiet_ns
        for shard in self.shards.values():
            added = shard.memory.orders.size - shard.orders_kept
            lines = shard.committed - shard.snapshot_number
            orders_max = max(self.settings.orders_max, shard.orders_kept // 2)
            news = max(lines / self.settings.snapshot_every, added / orders_max)
            if news >= (1 if is_quiet else 2):
                self._keep_snapshot(shard)
                self._worked_ns = self.time.monotonic_ns()
                return True
        return False

    def _keep_snapshot(self, shard: Shard) -> None:
        if shard.committed > shard.snapshot_number and not shard.lines:
            shard.memory.forget(self.time.now_ns())
            self.ledger.keep_snapshot(shard.key, shard.committed, SNAPSHOT_VERSION, shard.memory.to_snapshot())
            shard.snapshot_number = shard.committed
            shard.orders_kept = shard.memory.orders.size
