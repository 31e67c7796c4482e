"""The way of prices to the paper broker in lock step: whole bars, and no step before all has been told of the last."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apps.execution.contracts import CashKind, InstrumentTerms
from apps.execution.packed import pack, unpack
from apps.execution.paper import protocol
from apps.feeds.contracts import BarClosed
from banyan.columns import Ints, ints
from banyan.host import Delivery
from banyan.sockets import short_address

_PATIENCE_SECONDS = 60.0


Charge = Callable[[int, str, int, float, int], int]


class PaperSteps:
    """Gives the paper broker at `address` the bars of a feed, and asks what its accounts have.

    `day_of` tells the number of the session day of a time, ns UTC. `charge` tells what accounts (by number) pay for
    holding an instrument over so many days: (account, instrument, steps, last close, days) to micro units; it is booked
    at the broker as a swap before the first bar of a day is matched.
    """

    def __init__(
        self, address: Path, terms: Mapping[str, InstrumentTerms], day_of: Callable[[int], int], charge: Charge
    ) -> None:  # fmt: skip
        self._terms = terms
        self._day_of = day_of
        self._charge = charge
        self._day: int | None = None
        self._closes: dict[str, float] = {}
        self.accounts = ints()
        """Which accounts hold something that is charged for."""
        self._buffer = protocol.FrameBuffer()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_PATIENCE_SECONDS)
        with short_address(address) as short:
            self._socket.connect(short)

    def listen(self, deliveries: list[Delivery]) -> None:
        """Pass on the bars among `deliveries`, each once, however many they go to."""
        told = {each.envelope.number: each.message for each in deliveries if isinstance(each.message, BarClosed)}
        for bars in told.values():
            self._tell(bars)

    def cash_micro(self, accounts: Ints) -> Ints:
        """Return the cash of accounts, millionths of their currency."""
        request = protocol.AskStatement(session=0, rows=accounts.size, account=pack(accounts))
        statement = self._ask(request)
        assert isinstance(statement, protocol.Statement), statement
        return unpack(statement.cash_micro, accounts.size)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _begin_day(self, day: int) -> None:
        """Charge the days since the last one on what accounts hold, at the last closes."""
        last, self._day = self._day, day
        if last is None or day == last or not self.accounts.size:
            return
        request = protocol.AskStatement(session=0, rows=self.accounts.size, account=pack(self.accounts), since=2**62)
        statement = self._ask(request)
        assert isinstance(statement, protocol.Statement), statement
        held = [unpack(each, statement.rows) for each in (statement.account, statement.instrument, statement.steps)]
        for account, at, steps in zip(*(each.tolist() for each in held), strict=True):
            name = statement.instruments[at]
            paid = self._charge(account, name, steps, self._closes[name], day - last)
            if paid:
                charged = protocol.Deposit(
                    rows=1, reference=f"swap {day} {account} {name}", account=pack(ints([account])),
                    amount_micro=pack(ints([-paid])), kind=int(CashKind.SWAP), instrument=name,
                )  # fmt: skip
                self._ask(charged)

    def _tell(self, bars: BarClosed) -> None:
        self._begin_day(self._day_of(bars.closed_at_ns - bars.interval_ns))
        terms = [self._terms[each] for each in bars.instruments]
        ticks = np.array([each.tick_e9 for each in terms], np.int64)
        columns: dict[str, Any] = {
            f"{side}_{point}": pack(getattr(bars, f"{side}_{point}") * ticks)
            for side in ("bid", "ask")
            for point in ("open", "high", "low", "close")
        }
        opened_ns = bars.closed_at_ns - bars.interval_ns
        prices = protocol.Prices(
            rows=len(terms),
            terms=terms,
            time_ns=opened_ns,
            closed_ns=bars.closed_at_ns,
            day=self._day_of(opened_ns),
            **columns,
        )
        self._ask(prices)
        middles = (_prices(bars.bid_close, ticks) + _prices(bars.ask_close, ticks)) / 2.0
        self._closes.update(zip(bars.instruments, middles.tolist(), strict=True))
        # A question that changes nothing: it is answered after all that followed from the bars was written to others.
        self._ask(protocol.Prices(rows=0, terms=[], time_ns=0, bid_open=b"", ask_open=b""))

    def _ask(self, request: protocol.Request) -> protocol.Answer:
        self._socket.sendall(protocol.to_bytes(request))
        bodies: list[bytes] = []
        while not bodies:
            received = self._socket.recv(1024 * 1024)
            if not received:
                raise ConnectionError("the paper broker has hung up")
            bodies = list(self._buffer.add(received))
        answer = protocol.to_answer(bodies[0])
        if isinstance(answer, protocol.Refused):
            raise ConnectionError(f"the paper broker refuses: {answer.reason}")
        return answer


def _prices(ticks: Ints, tick_e9: Ints) -> Any:
    return ticks * tick_e9 / 1e9
