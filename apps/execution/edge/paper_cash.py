"""Money in and out of accounts at the paper broker: what a bank does where brokers are real."""

import socket
from pathlib import Path

from apps.execution.contracts import CashKind
from apps.execution.packed import pack
from apps.execution.paper import protocol
from banyan.columns import Ints
from banyan.sockets import short_address

_PATIENCE_SECONDS = 10.0


class CashError(RuntimeError):
    """The paper broker cannot be reached, or refuses; the message says why."""

    exit_code = 1


def pay(
    address: Path,
    accounts: Ints,
    amounts: Ints,
    reference: str,
    kind: CashKind = CashKind.PAYMENT,
    instrument: str = "",
) -> None:
    """Add amounts (below 0: take them) to accounts by number, once per `reference`. Raises CashError."""
    request = protocol.Deposit(
        rows=accounts.size, reference=reference, account=pack(accounts), amount_micro=pack(amounts), kind=int(kind),
        instrument=instrument,
    )  # fmt: skip
    buffer, bodies = protocol.FrameBuffer(), list[bytes]()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, short_address(address) as short:
            peer.settimeout(_PATIENCE_SECONDS)
            peer.connect(short)
            peer.sendall(protocol.to_bytes(request))
            while not bodies:
                received = peer.recv(65_536)
                if not received:
                    raise CashError("the paper broker has hung up")
                bodies = list(buffer.add(received))
    except OSError as problem:
        raise CashError(f"no paper broker at {address} ({problem}): `manage.py run` runs it") from None
    answer = protocol.to_answer(bodies[0])
    if isinstance(answer, protocol.Refused):
        raise CashError(f"the paper broker refuses: {answer.reason}")
