"""Trades some accounts in a process that has prepared for it, and writes as JSON what was compiled for that."""

import json
import sys
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import django
import numpy as np

django.setup()

import apps.execution.kernels  # noqa: E402
import apps.risk.kernels  # noqa: E402
from apps.execution.contracts import AccountValued, OrdersRequested, PositionChanged, ReportKind  # noqa: E402
from apps.execution.edge.memory import Memory  # noqa: E402
from apps.execution.edge.paper import _executions  # noqa: E402
from apps.execution.edge.port import Event  # noqa: E402
from apps.execution.edge.reports import Adoption, merged, told_by_broker  # noqa: E402
from apps.execution.packed import pack  # noqa: E402
from apps.execution.paper import protocol  # noqa: E402
from banyan.columns import ints  # noqa: E402
from settings import warming  # noqa: E402
from tests.unit.execution.desk import EURUSD, Desk  # noqa: E402
from tests.unit.execution.test_edge_memory import Told  # noqa: E402
from tests.unit.risk import desk as risk  # noqa: E402

NUMBERS = [1, 2, 3]
PACKAGES: tuple[ModuleType, ...] = (apps.execution.kernels, apps.risk.kernels)


def compiled() -> dict[str, int]:
    """Return for how many kinds of arguments each kernel that Numba calls is there."""
    names = [f"{package.__name__}.{each.name}" for package in PACKAGES for each in iter_modules(package.__path__)]
    return {
        f"{name}.{kernel}": len(value.signatures)
        for name in names
        for kernel, value in vars(import_module(name)).items()
        if hasattr(value, "signatures") and value.py_func.__module__ == name
    }


def trade_in_execution() -> None:
    desk = Desk()
    desk.open(*NUMBERS)
    desk.configure("s")
    desk.subscribe("s", *NUMBERS)
    for version, lots in enumerate((0.1, -0.2, 0.0), 1):
        desk.trade(desk.target("s", version, EURUSD=lots))


def trade_in_risk() -> None:
    desk = risk.Desk()
    for number in NUMBERS:
        desk.open(number)
    rows, several = len(NUMBERS), ints(NUMBERS)
    for _ in range(2):
        names = ("balance", "equity", "margin", "gross", "net", "paid_in")
        amounts = {f"{name}_micro": ints([10**9] * rows) for name in names}
        desk.give(AccountValued(valued_at_ns=desk.now, account=several, **amounts))
    desk.give(
        OrdersRequested(
            set="s", decided_at_ns=desk.now, terms=[risk.terms()], bid_ticks=ints([100]), ask_ticks=ints([102]),
            account=several, instrument=ints(), decision=several, steps=several, books=[],
            step_value_micro=ints([10**6] * rows),
        )
    )  # fmt: skip
    desk.give(risk.filled(["EURUSD"], several, ints(), several, several, ints([0] * rows)))
    desk.give(PositionChanged(instruments=["EURUSD"], account=several, instrument=ints(), steps=several))


def report_to_edge() -> None:
    """Let a broker report what it has filled, in one piece and in two that are taken together."""
    told = Told()
    for _ in range(2):
        told.send(NUMBERS)
    first, second = _reports(told.memories[0], 1), _reports(told.memories[0], 2)
    for events in ([first], [first, second]):
        for each in merged(events):
            told_by_broker(told.memories[0], each, 0, Adoption())


def _reports(memory: Memory, decision: int) -> Event:
    numbers, ones = np.array(NUMBERS), np.ones(len(NUMBERS), np.int64)
    ids = memory.client_ids(memory.slots(numbers), 0 * ones, decision * ones)
    return _executions(
        protocol.Reports(
            rows=len(NUMBERS), instruments=[EURUSD.id], execution=pack(10 * decision + numbers),
            client_ids=ids.tobytes(), account=pack(numbers), instrument=b"", kind=pack(int(ReportKind.FILLED) * ones),
            steps=pack(ones),
        )
    )  # fmt: skip


if __name__ == "__main__":
    warming.prepare()
    before = compiled()
    trade_in_execution()
    trade_in_risk()
    report_to_edge()
    more = sorted(name for name, count in compiled().items() if count > before[name])
    sys.stdout.write(json.dumps([*more, *({"scipy.linalg"} & sys.modules.keys())]))
