"""A client of the paper broker for tests, and the broker as a process."""

import os
import signal
import socket
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from apps.execution.contracts import InstrumentTerms
from apps.execution.packed import pack, unpack
from apps.execution.paper import protocol
from tests.forked import Forked
from tests.patience import PATIENCE_SECONDS

EURUSD = InstrumentTerms(
    id="EURUSD", currency="USD", tick_e9=10_000, lot_step_e9=10_000_000, lot_min_steps=1, contract_e9=10**14
)
FAR = 2**62
Kind = TypeVar("Kind", bound=protocol.Frame)


class BrokerProcess:
    """`manage.py paper_broker` in a folder; it can be killed and started again."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self.arguments = arguments
        self.variables = variables
        self.process: Forked | None = None

    def start(self, **variables: str) -> "BrokerProcess":
        words = ["paper_broker", "--folder", str(self.folder), "--socket", str(self.socket), *self.arguments]
        self.process = Forked("manage", *words, **{"BANYAN_CRASH_AT": "", **self.variables, **variables})
        line = self.process.output.readline()
        assert line.startswith("Ready"), line
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.wait()

    def stop(self) -> int:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait()


class Client:
    """A connection to the paper broker that asks and waits."""

    def __init__(self, address: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(str(address))
        self.buffer = protocol.FrameBuffer()
        self.waiting: list[Any] = []

    def close(self) -> None:
        self.socket.close()

    def send(self, frame: protocol.Frame) -> None:
        self.socket.sendall(protocol.to_bytes(frame))

    def receive(self, kind: type[Kind]) -> Kind:
        """Return the next answer of a kind; others before it stay in `waiting`. A refusal is no answer."""
        while True:
            for at, frame in enumerate(self.waiting):
                if isinstance(frame, kind):
                    return self.waiting.pop(at)
                assert not isinstance(frame, protocol.Refused), frame.reason
            received = self.socket.recv(1 << 20)
            if not received:
                raise ConnectionError("the broker hung up")
            self.waiting += [protocol.to_answer(body) for body in self.buffer.add(received)]

    def open(self, *accounts: int, deposit: int = 10**12, fee_rate_e9: int = 0) -> None:
        n = len(accounts)
        self.send(
            protocol.Open(
                rows=n,
                account=pack(np.array(accounts)),
                deposit_micro=pack(np.full(n, deposit)),
                fee_rate_e9=pack(np.full(n, fee_rate_e9)),
            )
        )
        self.receive(protocol.Done)

    def login(self, *accounts: int) -> int:
        self.send(protocol.Login(rows=len(accounts), account=pack(np.array(accounts))))
        return self.receive(protocol.LoggedIn).session

    def quote(self, bid_ticks: int, ask_ticks: int, time_ns: int = 1, terms: InstrumentTerms = EURUSD) -> None:
        self.prices(
            terms=[terms],
            time_ns=time_ns,
            bid_open=pack(np.array([bid_ticks * terms.tick_e9])),
            ask_open=pack(np.array([ask_ticks * terms.tick_e9])),
        )

    def prices(self, **fields: Any) -> None:
        self.send(protocol.Prices(rows=len(fields["terms"]), **fields))
        self.receive(protocol.Done)

    def submit(
        self,
        session: int,
        ids: list[str],
        accounts: list[int],
        steps: list[int],
        until: int = FAR,
        **columns: Any,
    ) -> None:
        packed = {name: pack(np.array(column)) for name, column in columns.items()}
        self.send(
            protocol.Submit(
                session=session,
                deadline_ns=until,
                rows=len(ids),
                terms=[EURUSD],
                client_ids=packed_ids(ids),
                account=pack(np.array(accounts)),
                instrument=b"",
                steps=pack(np.array(steps)),
                **packed,
            )
        )

    def cancel(self, session: int, ids: list[str]) -> None:
        self.send(protocol.Cancel(session=session, rows=len(ids), client_ids=packed_ids(ids)))

    def query(self, session: int, ids: list[str], accounts: list[int]) -> tuple[list[int], list[tuple[Any, ...]]]:
        self.send(
            protocol.Query(session=session, rows=len(ids), client_ids=packed_ids(ids), account=pack(np.array(accounts)))
        )
        answer = self.receive(protocol.Found)
        return unpack(answer.known, answer.rows).tolist(), rows_of(answer.reports)

    def statement(self, session: int, *accounts: int, since: int = 0) -> protocol.Statement:
        column = pack(np.array(accounts))
        self.send(protocol.AskStatement(session=session, rows=len(accounts), account=column, since=since))
        return self.receive(protocol.Statement)

    def positions(self, session: int, *accounts: int) -> dict[int, int]:
        answer = self.statement(session, *accounts)
        return dict(
            zip(unpack(answer.account, answer.rows).tolist(), unpack(answer.steps, answer.rows).tolist(), strict=True)
        )

    def reports(self) -> list[tuple[Any, ...]]:
        return rows_of(self.receive(protocol.Reports))


def packed_ids(ids: list[str]) -> bytes:
    return np.array(ids, "S24").tobytes()


def rows_of(frame: protocol.Reports) -> list[tuple[Any, ...]]:
    """Return (execution, id, account, kind, code, steps, price in ticks of EURUSD, fee) by row."""
    n = frame.rows
    columns = [
        unpack(getattr(frame, name), n).tolist()
        for name in ("execution", "account", "kind", "code", "steps", "price_e9", "fee_micro")
    ]
    ids = [each.decode() for each in np.frombuffer(frame.client_ids, "S24").tolist()]
    execution, account, kind, code, steps, price, fee = columns
    ticks = [each / EURUSD.tick_e9 for each in price]
    return list(zip(execution, ids, account, kind, code, steps, ticks, fee, strict=True))
