"""Execution, risk, edge and paper broker in one process, stepped by hand, so that a seed says what goes wrong when.

A crash throws away everything that is in memory, at a named point of the code, and begins anew from databases and
ledgers, as a killed process does. Signals come from a context that says whatever it is told.
"""

import contextlib
import random
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from apps.audit.facts import Facts
from apps.audit.invariants import Violation, violations
from apps.audit.loading import load_facts
from apps.execution.contracts import ConfigureSet, OpenAccount, Subscribe
from apps.execution.core import EXECUTION
from apps.execution.edge.edge import Edge, EdgeSettings
from apps.execution.edge.kill_switch import KillSwitch
from apps.execution.edge.ledger import Ledger
from apps.execution.edge.paper import PaperBroker
from apps.execution.edge.worker import EdgeWorker
from apps.execution.paper import protocol
from apps.execution.paper.broker import Options
from apps.execution.paper.faults import Faults
from apps.execution.paper.server import Server
from apps.risk.core import RISK
from apps.signals.contracts import TargetSet
from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.context import Context
from banyan.host import Delivery, Host, HostSettings, Route, every
from banyan.ids import derive
from banyan.messages import Message
from banyan.store import Store
from banyan.transport import LocalTransport
from settings.roles import ROUTES
from tests.integration.edge.paper_client import Client
from tests.patience import PATIENCE_SECONDS
from tests.unit.execution.desk import EURUSD, QUOTES, target

KEYS = ("00", "01")
ACCOUNTS = {1: "00", 2: "00", 3: "01", 4: "01"}
SET = "trend"
SENDERS = {"execution": ["signals", "risk", "edge"], "risk": ["execution"], "edge": ["execution"], "signals": []}
SECOND = 1_000_000_000
MILLISECOND = 1_000_000
SETTLE_SECONDS = PATIENCE_SECONDS

SIGNALS: Context[dict] = Context(
    name="signals",
    new_state=lambda key: {},
    decide=lambda _, received: [received.message],
    evolve=lambda state, _: state,
    snapshot_version=1,
    to_snapshot=lambda _: b"",
    from_snapshot=lambda *_: {},
)
CONTEXTS = {context.name: context for context in (SIGNALS, EXECUTION, RISK)}


class Crash(BaseException):
    """The process is gone."""


class Crashes:
    """What happens at the crash points: nothing, unless one is armed, or chance has its way."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.armed = ""
        self.chance = 0.0
        self.happened: list[str] = []

    @contextlib.contextmanager
    def none(self) -> Iterator[None]:
        """Let nobody die for a while."""
        kept, (self.armed, self.chance) = (self.armed, self.chance), ("", 0.0)
        try:
            yield
        finally:
            self.armed, self.chance = kept

    def point(self, name: str) -> None:
        if name == self.armed or (self.chance and self.dice.random() < self.chance):
            self.armed = ""
            self.happened.append(name)
            raise Crash(name)


class SteppedClock:
    """The machine's clock, whose wall time is set by the test alone."""

    def __init__(self) -> None:
        self.shift_ns = 0
        self._began_ns = time.time_ns() - time.monotonic_ns()

    def wall_ns(self) -> int:
        return self._began_ns + time.monotonic_ns() + self.shift_ns

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class UnrulyTransport(LocalTransport):
    """Hands on some messages twice, some later, in any order, and some never."""

    dice: random.Random
    late: list[Delivery]
    share = 0.0
    disturbed = 0

    def hand_on(self, deliveries: list[Delivery]) -> None:
        if not self.share:
            super().hand_on(deliveries)
            return
        told = [*deliveries, *self.late]
        self.late = [each for each in told if self.dice.random() < self.share]
        lost = [each for each in told if self.dice.random() < self.share]
        gone = {id(each) for each in lost}
        told = [each for each in told if id(each) not in gone]
        again = [each for each in told if self.dice.random() < self.share]
        told += again
        UnrulyTransport.disturbed += len(self.late) + len(lost) + len(again)
        self.dice.shuffle(told)
        super().hand_on(told)


class FileSwitch:
    """The kill switch's file alone, as if the central switch were always heard."""

    def __init__(self, path: Path) -> None:
        self._latch = KillSwitch(path)

    def is_clear(self) -> bool:
        return self._latch.is_clear()

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        """There is nothing to close."""


class Pipeline:
    """Four accounts in two shards that follow one set."""

    def __init__(self, folder: Path, seed: int, crashes: Crashes, options: Options | None = None) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.crashes = crashes
        self.options = options or Options()
        self.clock = SteppedClock()
        self.switch = folder / "edge" / "kill_switch"
        self.switch.parent.mkdir(exist_ok=True)
        self.version = 0
        self.share = 0.0
        self.injected = 0
        self.others = 0
        UnrulyTransport.disturbed = 0
        self.broker: Server | None = None
        self.start_broker()
        self.start()
        self.open_accounts()

    # ---- what is there ----

    def start_broker(self, faults: Faults | None = None) -> None:
        assert self.broker is None
        self.broker = Server(self.folder / "paper", self.folder / "s", self.options, faults or Faults(), self.clock)
        self._thread = threading.Thread(target=self._serve, args=(self.broker,), daemon=True)
        with self.crashes.none():
            self._thread.start()
            self.tell_broker(lambda client: client.quote(*QUOTES[EURUSD.id], terms=EURUSD))

    def _serve(self, server: Server) -> None:
        with contextlib.suppress(Crash, OSError):
            server.serve()
        for connection in server._connections.values():
            connection.socket.close()
        server._listener.close()
        server._selector.close()
        server._ledger.close()

    def faults(self) -> int:
        """Return how many faults have been injected."""
        return len(self.crashes.happened) + self.transport.disturbed + self.others + self.injected

    def kill_broker(self) -> None:
        """End the broker between two of its rounds, and with it all its connections."""
        assert self.broker is not None
        self.others += 1
        self.broker.stop()
        self._thread.join()
        self.broker = None

    def tell_broker(self, say: Callable[[Client], Any]) -> None:
        client = Client(self.folder / "s")
        say(client)
        client.close()

    def inject(self, **faults: Any) -> None:
        body = Faults(**faults)
        self.others += 1

        def say(client: Client) -> None:
            client.send(protocol.Inject(faults=msgspec.json.encode(body)))
            client.receive(protocol.Done)

        self.tell_broker(say)

    def start(self) -> None:
        """Begin from what is in the databases."""
        self.transport = UnrulyTransport(SENDERS)
        self.transport.dice, self.transport.late, self.transport.share = self.dice, [], self.share
        settings = HostSettings(always_decode=True, snapshot_every=25, snapshot_quiet_seconds=0.0, poll_seconds=0.05)
        self.hosts = []
        for context in CONTEXTS.values():
            routes: Sequence[Route] = ROUTES[context.name]
            if context is SIGNALS:
                routes = [Route(TargetSet, "execution", every(KEYS))]
            host = Host(context, Store(context.name), routes, self.clock, owner="one", settings=settings)
            host.is_gone = lambda owner: owner != "one"
            self.transport.join(host)
            host.open([SET] if context is SIGNALS else KEYS)
            self.hosts.append(host)
        self.edge = self.new_edge("one")
        self.worker = EdgeWorker(self.edge, KEYS, self.transport)
        self.edge.open(KEYS)

    def new_edge(self, owner: str) -> Edge:
        settings = EdgeSettings(
            answer_ns_max=200 * MILLISECOND,
            reply_ns_max=500 * MILLISECOND,
            settle_ns=200 * MILLISECOND,
            recheck_ns=50 * MILLISECOND,
            reconcile_ns=SECOND,
            deadline_ns=2 * SECOND,
            distrust_ns=3 * SECOND,
            lease_margin_ns=50 * MILLISECOND,
            snapshot_every=25,
            quiet_ns=0,
        )
        # It is told of one less than the broker takes: where a machine is busy, one may arrive late, and near the next.
        limits = self.options.orders_per_second_max, self.options.orders_per_second_per_account_max
        rates = max(0, limits[0] - 1), max(0, limits[1] - 1)
        broker = PaperBroker(self.folder / "s", rates=rates)
        return Edge(Ledger(lease_seconds=1.0), [broker], FileSwitch(self.switch), self.clock, owner=owner,
                    settings=settings)  # fmt: skip

    def crash(self) -> None:
        """Lose everything that is in memory."""
        for host in self.hosts:
            host.store.close()
        self.transport.close()
        self.edge.ledger.close()
        self.worker._archive.close()
        for link in self.edge.links.values():
            link.broker.close()

    def stop(self) -> None:
        """End in order, as after SIGTERM."""
        for host in self.hosts:
            host.close()
        self.worker.close()
        self.transport.close()

    def close(self) -> None:
        self.crash()
        if self.broker is not None:
            self.kill_broker()

    # ---- what happens ----

    def turn(self) -> None:
        """Let everybody do one round; whoever dies is started again."""
        try:
            for host in self.hosts:
                host.step()
            self.worker.step()
        except Crash:
            self.crash()
            self.start()
        if not self._thread.is_alive():
            self.broker = None
            self.start_broker()
        with contextlib.suppress(ValueError, OSError):
            select.select(self.edge.filenos(), [], [], 0.002)

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.turn()

    def until(self, is_so: Callable[[], Any], what: str = "it") -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < end, f"{what} did not come about: {self.standing()}"
            self.turn()

    def standing(self) -> dict[str, Any]:
        """Return what tells a reader why nothing moves."""
        facts, told = self.facts(), self.edge
        return {
            "crashes": self.crashes.happened,
            "held": {host.context.name: sorted(host.keys) for host in self.hosts} | {"edge": sorted(told.shards)},
            "waiting": {key: len(shard.waiting) for key, shard in told.shards.items()},
            "reconciled": {key: shard.reconciled.tolist() for key, shard in told.shards.items()},
            "gated": {key: shard.memory.gated for key, shard in told.shards.items()},
            "sessions": {name: (link.session, link.is_logging_in, link.asked) for name, link in told.links.items()},
            "may send": (told.time.is_trusted(), told.switch.is_clear()),
            "ready": self.is_ready(),
            "open": [facts.open[name].tolist() for name in ("account", "decision", "is_unknown")],
            "dead letters": facts.parked,
        }

    def say(self, message: Message, name: str, key: str) -> None:
        """Give a command to a context's key, kept until it is applied."""
        store = Store(name)
        message_id = derive(name, key, message.wire_name, self.dice.random())
        now_ns = self.clock.wall_ns()
        envelope = Envelope(name=message.wire_name, id=message_id, key=key, event_time_ns=now_ns, sent_at_ns=now_ns)
        store.ask([(message_id, key, encode_envelope(envelope), encode_message(message))])
        store.close()

    def open_accounts(self) -> None:
        for key in KEYS:
            self.say(ConfigureSet(set=SET, terms=[EURUSD]), "execution", key)
        for number, key in ACCOUNTS.items():
            opened = OpenAccount(
                account=f"A{number}", number=number, client="c", broker="paper", currency="USD",
                deposit_micro=100_000 * 10**6, leverage_e9=30 * 10**9, hedging=number % 2 == 0,
            )  # fmt: skip
            self.say(opened, "execution", key)
            self.say(Subscribe(account=number, set=SET, join="converge"), "execution", key)
        execution = self.hosts[1]
        self.until(lambda: execution.keys.keys() == set(KEYS), "holding the keys")
        self.until(self.is_ready, "readiness")

    def is_ready(self) -> bool:
        found = [self.hosts[1].keys[key].state.accounts.columns["ready"] for key in KEYS if key in self.hosts[1].keys]
        return sum(int(each.sum()) for each in found) == len(ACCOUNTS)

    def signal(self, lots: float | None = None) -> None:
        """Say a new target: some lots, other than before."""
        self.version += 1
        wanted = self.dice.choice([-0.5, -0.3, -0.1, 0.0, 0.2, 0.4, 0.6]) if lots is None else lots
        self.say(target(SET, self.version, {EURUSD.id: wanted}), "signals", SET)

    def trade(self, signals: int) -> None:
        for _ in range(signals):
            self.signal()
            self.turns(self.dice.randint(1, 25))

    def facts(self) -> Facts:
        return load_facts(CONTEXTS, SENDERS, paper=self.folder / "paper", switch=self.switch, injected=self.injected)

    def settle(self) -> tuple[Facts, list[Violation]]:
        """Go on until all invariants hold; after a while return those that do not."""
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            self.turns(40)
            facts = self.facts()
            found = violations(facts)
            if not found or time.monotonic() >= end:
                return facts, found

    def check(self, *, trades: int = 1) -> Facts:
        facts, found = self.settle()
        if not found and len(facts.trades) < trades:
            # Whatever was sent died on its way: those accounts order nothing anew until that is known for sure.
            self.until(lambda: not self.facts().open, "an answer for every order")
            for lots in (0.4, -0.3):
                self.signal(lots)
                self.turns(25)
            facts, found = self.settle()
        assert found == [], "\n".join(map(str, found[:20]))
        assert len(facts.trades) >= trades, "nothing was traded: nothing was tried"
        return facts
