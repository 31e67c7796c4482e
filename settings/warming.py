"""Everything that live decisions compile, compiled before the first real message: a rehearsal on states of its own."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from django.db import DatabaseError

from apps.execution.contracts import AccountOpened, AccountValued, OrdersFilled, OrdersRequested, PositionChanged
from apps.execution.growing import ChainedIds, decimal_ids, first_of_each
from apps.execution.interface import check_spread
from apps.execution.paper.broker import warm as warm_broker
from apps.reporting.warming import warm as warm_reporting
from apps.risk.contracts import Limits, OrdersApproved, OrdersRefused, SetLimits
from apps.risk.core import RISK
from apps.signals.registry import get_strategy
from apps.signals.running import PREPARED
from apps.signals.running import prepare as prepare_strategies
from banyan.columns import ints
from banyan.messages import Message
from banyan.process import do_apart
from settings.rehearsal import STEPS_MAX, received_as_sent, rehearse_execution
from trading.compiled import cache_directory, compiler
from trading.volatility import volatility_of

_TO_RISK = (AccountOpened, AccountValued, OrdersRequested, OrdersFilled, PositionChanged)


def prepare() -> None:
    """Load what the processes of a system share, before the first of them is forked.

    What is not kept yet is compiled in another process: compiling takes hundreds of megabytes that are never given
    back, and all that are forked from here would have their part of them. Raises AccountError where accounts are spread
    over other shards than are set.
    """
    with suppress(DatabaseError):  # it is away, or not made yet: whoever needs it says so
        check_spread()
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
    _leave_out_blas()
    rehearse()
    warm_broker()
    warm_reporting()
    prepare_strategies()
    ids = decimal_ids(ints([1, 2]))
    first_of_each(ids)
    ChainedIds().find(ids)  # as reports have them that were taken together; the broker has looked for others
    volatility_of(np.ones(2), 1.0)


def _leave_out_blas() -> None:
    """Load the part of Numba that looks for SciPy's BLAS while importing that fails.

    No kernel calls it, and SciPy's linear algebra, where it is installed, would be fourteen megabytes more. What a
    strategy multiplies by it is found later nevertheless.
    """
    blas = "scipy.linalg.cython_blas"
    if blas not in sys.modules:
        sys.modules[blas] = None  # type: ignore[assignment]
        try:
            import_module("numba.np.arraymath")
        finally:
            del sys.modules[blas]


@cache
def rehearse() -> None:
    """Trade one account from its opening to a fill, back to flat and to a refusal, execution and risk, unwatched."""
    rehearse_execution(_Risk().verdicts)


class _Risk:
    """Risk beside the execution that is rehearsed."""

    def __init__(self) -> None:
        self._state: Any = RISK.new_state("rehearsal")
        self._answers(SetLimits(limits=Limits(order_steps_max=STEPS_MAX)))

    def verdicts(self, event: Message) -> Iterator[Message]:
        """Yield what execution is to hear of what it has said."""
        if not isinstance(event, _TO_RISK):
            return
        yield from (each for each in self._answers(event) if isinstance(each, OrdersApproved | OrdersRefused))

    def _answers(self, message: Message) -> list[Message]:
        answers = list(RISK.decide(self._state, received_as_sent(message)))
        for answer in answers:
            self._state = RISK.evolve(self._state, answer)
        return answers
