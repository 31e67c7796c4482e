"""Everything that live decisions compile, compiled before the first real message: a rehearsal on states of its own."""

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from apps.execution.contracts import AccountOpened, AccountValued, OrdersFilled, OrdersRequested, PositionChanged
from apps.execution.growing import decimal_ids, first_of_each
from apps.execution.paper.broker import warm as warm_broker
from apps.reporting.warming import warm as warm_reporting
from apps.risk.contracts import OrdersApproved
from apps.risk.core import RISK
from apps.signals.registry import get_strategy
from apps.signals.running import PREPARED
from apps.signals.running import prepare as prepare_strategies
from banyan.columns import ints
from banyan.messages import Message, Received
from banyan.process import do_apart
from settings.rehearsal import rehearse_execution
from trading.compiled import cache_directory, compiler
from trading.volatility import volatility_of

_TO_RISK = (AccountOpened, AccountValued, OrdersRequested, OrdersFilled, PositionChanged)


def prepare() -> None:
    """Load what the processes of a system share, before the first of them is forked.

    What is not kept yet is compiled in another process: compiling takes hundreds of megabytes that are never given
    back, and all that are forked from here would have their part of them.
    """
    compile_all()
    _load()


def compile_all() -> None:
    """Compile in another process what is not kept yet."""
    mark = _mark()
    if not mark.exists() and do_apart(_load):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _mark() -> Path:
    """Return the file that is there once everything has been compiled from the code as it is."""
    codes = [get_strategy(name).code_hash for name, _ in PREPARED]
    return cache_directory() / f"prepared-{hashlib.sha256(''.join(codes).encode()).hexdigest()[:16]}"


def _load() -> None:
    compiler()
    rehearse()
    warm_broker()
    warm_reporting()
    prepare_strategies()
    first_of_each(decimal_ids(ints([1, 2])))
    volatility_of(np.ones(2), 1.0)


@cache
def rehearse() -> None:
    """Trade one account from its opening to a fill and back to flat, execution and risk, with nobody watching."""
    rehearse_execution(_Risk().verdicts)


class _Risk:
    """Risk beside the execution that is rehearsed."""

    def __init__(self) -> None:
        self._state: Any = RISK.new_state("rehearsal")

    def verdicts(self, event: Message) -> Iterator[Message]:
        """Yield what execution is to hear of what it has said."""
        if not isinstance(event, _TO_RISK):
            return
        received = Received(message=event, id="rehearsal", key="rehearsal", received_at_ns=1, event_time_ns=1)
        answers = list(RISK.decide(self._state, received))
        for answer in answers:
            self._state = RISK.evolve(self._state, answer)
        yield from (answer for answer in answers if isinstance(answer, OrdersApproved))
