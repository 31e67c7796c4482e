"""The paper broker as the edge's port."""

import socket
import struct
from pathlib import Path

import numpy as np

from apps.execution.edge.port import (
    Answer,
    BrokerUnavailableError,
    Capabilities,
    Event,
    Executions,
    NewAccount,
    Orders,
    SessionBegan,
    Statement,
)
from apps.execution.growing import ID_BYTES, Ids, decimal_ids
from apps.execution.packed import PackedError, pack, unpack
from apps.execution.paper import protocol
from apps.execution.paper.protocol import Code, FrameBuffer, ProtocolError
from banyan import crash
from banyan.columns import Ints
from banyan.sockets import short_address

_READ_BYTES = 1024 * 1024
_BUFFER_BYTES = 4 * 1024 * 1024
_TEXTS = [code.name.lower().replace("_", " ") for code in Code if code]


class PaperBroker:
    """A connection to the paper broker at the Unix socket `address`.

    `rates` are what it takes: orders and cancels a second in a session, and orders a second of an account; 0: any.
    """

    def __init__(
        self, address: Path, *, name: str = "paper", write_seconds_max: float = 2.0, rates: tuple[int, int] = (0, 0)
    ) -> None:  # fmt: skip
        self.name = name
        self.capabilities = Capabilities(
            hedging=True,
            opens_accounts=True,
            orders_per_second_max=rates[0],
            orders_per_second_per_account_max=rates[1],
        )
        self._address = address
        self._write_seconds_max = write_seconds_max
        self._socket: socket.socket | None = None
        self._received = FrameBuffer()
        self._room = bytearray(_READ_BYTES)

    def connect(self) -> None:
        """Connect, or raise BrokerUnavailableError."""
        self.close()
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        # Not `settimeout`, with which reading would wait too.
        patience = struct.pack("ll", int(self._write_seconds_max), int(self._write_seconds_max % 1 * 1e6))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        try:
            with short_address(self._address) as address:
                peer.connect(address)
        except OSError as problem:
            peer.close()
            raise BrokerUnavailableError(f"no paper broker at {self._address}: {problem.strerror}") from None
        self._socket = peer
        self._received = FrameBuffer()

    def fileno(self) -> int:
        """Return what to select for reading; -1 where there is no connection."""
        return self._socket.fileno() if self._socket is not None else -1

    def open_accounts(self, accounts: list[NewAccount]) -> None:
        """Open accounts; those that are open stay as they are."""
        numbers = np.array([each.number for each in accounts], np.int64)
        deposits = np.array([each.deposit_micro for each in accounts], np.int64)
        rates = np.array([each.fee_rate_e9 for each in accounts], np.int64)
        currencies = sorted({name for each in accounts for name in (each.currency, each.via)})
        self._write(
            protocol.Open(
                rows=numbers.size,
                account=pack(numbers),
                deposit_micro=pack(deposits),
                fee_rate_e9=pack(rates),
                currencies=tuple(currencies),
                currency=pack(np.array([currencies.index(each.currency) for each in accounts], np.int64)),
                hedging=pack(np.array([each.hedging for each in accounts], np.int64)),
                via=pack(np.array([currencies.index(each.via) for each in accounts], np.int64)),
            )
        )

    def login(self, accounts: Ints) -> None:
        """Begin a session over accounts: SessionBegan follows."""
        self._write(protocol.Login(rows=accounts.size, account=pack(accounts)))

    def submit(self, orders: Orders) -> None:
        """Write orders, once."""
        self._write(
            protocol.Submit(
                session=orders.session,
                deadline_ns=orders.deadline_ns,
                rows=orders.client_ids.size,
                terms=orders.terms,
                client_ids=orders.client_ids.tobytes(),
                account=pack(orders.account),
                instrument=pack(orders.instrument),
                steps=pack(orders.steps),
                kind=pack(orders.kind),
                limit_ticks=pack(orders.limit_ticks),
                stop_ticks=pack(orders.stop_ticks),
                time_in_force=pack(orders.time_in_force),
                expires_ns=pack(orders.expires_ns),
                reduce_only=pack(orders.reduce_only),
                trail_ticks=pack(orders.trail_ticks),
                base_steps=pack(orders.base_steps),
                tag=pack(orders.tag),
            )
        )

    def cancel(self, session: int, client_ids: Ids) -> None:
        """Ask to cancel orders."""
        self._write(protocol.Cancel(session=session, rows=client_ids.size, client_ids=client_ids.tobytes()))

    def query(self, request: int, session: int, client_ids: Ids, accounts: Ints) -> None:
        """Ask what became of orders: an Answer with the number `request` follows."""
        self._write(
            protocol.Query(
                request=request,
                session=session,
                rows=client_ids.size,
                client_ids=client_ids.tobytes(),
                account=pack(accounts),
            )
        )

    def ask_statement(self, request: int, session: int, accounts: Ints, since: int) -> None:
        """Ask what accounts hold: a Statement with the number `request` follows."""
        column = pack(accounts)
        self._write(
            protocol.AskStatement(request=request, session=session, rows=accounts.size, account=column, since=since)
        )

    def receive(self) -> list[Event]:
        """Return what has come in, without waiting."""
        events: list[Event] = []
        peer, room = self._peer(), memoryview(self._room)
        try:
            while True:
                count = peer.recv_into(room, 0, socket.MSG_DONTWAIT)
                if not count:
                    self._lose("the paper broker has hung up")
                for body in self._received.add(bytes(room[:count])):
                    events += _events(protocol.to_answer(body))
        except BlockingIOError:
            return events
        except (OSError, ProtocolError, PackedError) as problem:
            if events and not isinstance(problem, ProtocolError | PackedError):
                return events  # what was said before the end counts; the next call finds the end again
            return self._lose(str(problem))

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _peer(self) -> socket.socket:
        if self._socket is None:
            raise BrokerUnavailableError("not connected")
        return self._socket

    def _write(self, frame: protocol.Frame) -> None:
        try:
            written = memoryview(protocol.to_bytes(frame))
            half = len(written) // 2
            self._peer().sendall(written[:half])
            if isinstance(frame, protocol.Submit):
                crash.point("edge.mid-write")
            self._peer().sendall(written[half:])
        except OSError as problem:
            self._lose(str(problem))

    def _lose(self, reason: str) -> list[Event]:
        self.close()
        raise BrokerUnavailableError(reason)


def _events(frame: protocol.Answer) -> list[Event]:
    match frame:
        case protocol.LoggedIn():
            return [SessionBegan(frame.session, frame.missing)]
        case protocol.Reports():
            return [_executions(frame)]
        case protocol.Found():
            known = unpack(frame.known, frame.rows)
            return [Answer(frame.request, frame.session, known, _executions(frame.reports))]
        case protocol.Statement():
            account, instrument, steps = (
                unpack(column, frame.rows) for column in (frame.account, frame.instrument, frame.steps)
            )
            executions = _executions(frame.reports)
            return [
                Statement(
                    frame.request, frame.session, frame.upto, frame.instruments, account, instrument, steps, executions
                )
            ]
        case protocol.Refused():
            raise ProtocolError(f"the paper broker refuses: {frame.reason}")
    return []


def _executions(frame: protocol.Reports) -> Executions:
    n = frame.rows
    numbers = unpack(frame.execution, n)
    return Executions(
        instruments=frame.instruments,
        execution_ids=decimal_ids(numbers),
        marks=numbers,
        client_ids=np.frombuffer(frame.client_ids, f"S{ID_BYTES}"),
        account=unpack(frame.account, n),
        instrument=unpack(frame.instrument, n),
        kind=unpack(frame.kind, n),
        steps=unpack(frame.steps, n),
        price_e9=unpack(frame.price_e9, n),
        fee_micro=unpack(frame.fee_micro, n),
        amount_micro=unpack(frame.amount_micro, n),
        at_ns=unpack(frame.at_ns, n),
        code=unpack(frame.code, n),
        texts=_TEXTS,
        after=frame.after,
        upto=frame.upto,
    )
