"""From a bar to a fill, with everything killed on the way: what is held was filled, and nothing was sent twice."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fault.system import System
from tests.fault.test_processes import check_that_every_bar_was_applied_once, define_trend, replay

ACCOUNTS = 4
ENDS = {"Filled", "Canceled", "Denied", "Rejected", "Expired"}
WEEKS = list(pairwise(f"2016-{month:02}-{day:02}" for month in (1, 2, 3) for day in (1, 8, 15, 22)))[:-1]
STREAMS = (("feeds", "signals"), ("signals", "execution"), ("execution", "risk"), ("risk", "execution"))


def columns(system: System, name: str) -> list[dict]:
    return named(system.steps("execution"), name)


def named(steps: list[dict], name: str) -> list[dict]:
    return [body for step in steps for event, body in step["events"] if event == name]


def by_order(messages: list[dict], column: str) -> dict[tuple[int, str, int], int]:
    totals: dict[tuple[int, str, int], int] = defaultdict(int)
    for message in messages:
        names = message.get("instruments") or [each["id"] for each in message["terms"]]
        zeros = [0] * len(message["account"])
        rows = zip(
            message["account"],
            message["instrument"] or zeros,
            message["decision"],
            message[column] or zeros,
            strict=True,
        )
        for account, instrument, decision, value in rows:
            totals[account, names[instrument], decision] += int(value)
    return totals


def is_at_rest(system: System) -> bool:
    """Tell whether every order that was requested has been filled or has ended, and none will be requested.

    Something was filled: else nothing was tried.
    """
    return is_quiet(system) and bool(columns(system, "execution.orders-filled.v1"))


def is_quiet(system: System) -> bool:
    """Tell the same, whether anything was filled or not.

    The way of what may lead to an order is followed downwards: looked at the other way round, one could slip through.
    One that has ended may let execution look again, by a timer, and that look may request another.
    """
    if system.waiting("feeds") or not all(has_taken_all(system, receiver, sender) for sender, receiver in STREAMS):
        return False
    steps = system.steps("execution")
    filled = by_order(named(steps, "execution.orders-filled.v1"), "steps")
    left = by_order(named(steps, "execution.orders-ended.v1"), "left_steps")
    if system.rows("execution", "SELECT count(*) FROM banyan_timer")[0][0]:
        return False
    requested = by_order(columns(system, "execution.orders-requested.v1"), "steps")
    return all(steps == filled.get(order, 0) or order in left for order, steps in requested.items())


def has_taken_all(system: System, receiver: str, sender: str) -> bool:
    """Tell whether every key of a context has applied all that another has sent it, whichever process holds it."""
    sent = f"SELECT key, receiver_key, position FROM banyan_stream WHERE receiver = '{receiver}'"
    taken = f"SELECT sender_key, key, position FROM banyan_mark WHERE sender = '{sender}'"
    marks = {(sender_key, key): position for sender_key, key, position in system.rows(receiver, taken)}
    return all(marks.get((key, to), 0) >= position for key, to, position in system.rows(sender, sent))


def check_that_nothing_was_lost_or_doubled(system: System) -> None:
    system.verify()
    assert columns(system, "execution.lots-booked.v1") == [], "the broker holds what execution does not know of"


def has_read_everything(system: System) -> bool:
    """Tell whether reporting has read all logs to their ends, and the books are written."""
    read = {(reader, source, key): number for reader, source, key, number in system.rows("reporting", MARKS)}
    return all(
        read.get((reader, context, key)) == number
        for reader, context, table in LOGS
        for key, number in system.rows(context, f"SELECT key, number FROM {table} WHERE number > 0")
    )


LOGS = (
    *(("reporting", context, "banyan_key") for context in ("feeds", "signals", "execution")),
    ("reporting", "edge", "edge_lease"),
    ("books", "execution", "banyan_key"),
)
MARKS = "SELECT reader, source, key, number FROM reporting_mark"
SUMMED = """
    SELECT a.number,
        a.balance_micro - (SELECT COALESCE(sum(cost_micro), 0) FROM reporting_position AS p WHERE p.account = a.number),
        a.deposit_micro + COALESCE(sum(f.amount_micro - f.fee_micro), 0)
    FROM reporting_account AS a LEFT JOIN reporting_fill AS f ON f.account = a.number GROUP BY a.number"""


def read_models(system: System) -> dict[str, list]:
    names = ("account", "order", "fill", "position", "day", "price", "quote", "signal", "skip", "refusal")
    return {name: sorted(map(repr, system.rows("reporting", f"SELECT * FROM reporting_{name}"))) for name in names}


def check_that_reporting_remembers_it(system: System) -> None:
    """The sums of what reporting tells are execution's books, and a rebuild tells the same.

    Of a system that is stopped: while it runs, accounts are valued at the prices of now, whenever that comes.
    """
    system.start(roles=["reporting", "books"])
    system.wait_for("reporting", lambda: has_read_everything(system))
    system.stop()
    filled = by_order(columns(system, "execution.orders-filled.v1"), "steps")
    told = "SELECT account, instrument, decision, sum(steps) FROM reporting_fill WHERE kind = 0 GROUP BY 1, 2, 3"
    assert {tuple(key): int(steps) for *key, steps in system.rows("reporting", told)} == filled
    held: dict[tuple[int, str], int] = defaultdict(int)
    for (account, instrument, _), steps in filled.items():
        held[account, instrument] += steps
    positions = system.rows("reporting", "SELECT account, instrument, sum(steps) FROM reporting_position GROUP BY 1, 2")
    assert {(account, name): int(steps) for account, name, steps in positions} == held
    cash_of = system.rows("reporting", SUMMED)
    assert len(cash_of) == ACCOUNTS
    assert all(cash == summed for _, cash, summed in cash_of)
    orders = json.loads(system.manage("report", "orders", "--json", "--lines", "100000", "--timeline"))
    assert [order for order in orders if order["state"] not in ENDS] == []
    assert all(order["sent_at_ns"] for order in orders if order["state"] == "Filled")
    before = read_models(system)
    system.manage("reporting", "rebuild")
    after = read_models(system)
    assert {name: set(before[name]) ^ set(after[name]) for name in before} == {name: set() for name in before}
    assert after == before
    trades = [row for path in system.folder.glob("clients/*/*/tradebook.csv") for row in csv.DictReader(path.open())]
    assert len(trades) == len(system.rows("reporting", "SELECT FROM reporting_fill"))
    books = list(system.folder.glob("clients/*/*/*.csv"))  # an account that nothing was filled for has no tradebook
    assert books
    assert system.manage("books", "rebuild") == f"{len(books)} files built again, 0 of them differed\n"


def prepare(system: System) -> None:
    """Define a set that accounts follow."""
    define_trend(system)
    open_accounts(system)


def open_accounts(system: System) -> None:
    system.manage("accounts", "open", "A", "--count", str(ACCOUNTS), "--client", "demo", "--deposit", "100000")
    system.manage("accounts", "subscribe", "A", "--count", str(ACCOUNTS), "--set", "trend")


def is_ready(system: System) -> bool:
    ready = [number for body in columns(system, "execution.accounts-ready.v1") for number in body["account"]]
    return set(ready) == set(range(1, ACCOUNTS + 1))


def test_a_system_that_is_killed_while_it_trades_loses_and_doubles_nothing(system):
    prepare(system)
    system.start()
    system.wait_for("accounts that may trade", lambda: is_ready(system))
    replay(system, last="2016-02-10")
    system.wait_for("the first fills", lambda: bool(columns(system, "execution.orders-filled.v1")))
    system.kill_children()
    replay(system, first="2016-02-10")
    children = system.children()
    system.kill_supervisor()
    system.wait_for("the end of its children", lambda: not any(map(is_alive, children)))
    system.start()
    system.wait_for("rest", lambda: is_at_rest(system))
    check_that_every_bar_was_applied_once(system)
    check_that_nothing_was_lost_or_doubled(system)
    system.stop()
    check_that_reporting_remembers_it(system)
    assert "held by nobody" in system.manage("status")


def trade(system: System, weeks: Sequence[tuple[str, str]], is_enough: Callable[[], bool] = lambda: False) -> int:
    """Let weeks come one by one, until it is enough; return how many have come.

    What comes all at once is decided in a few commits, and traded in a few orders.
    """
    for count, (first, last) in enumerate(weeks, 1):
        replay(system, first, last)
        system.wait_for("the end of a week", lambda: is_enough() or is_quiet(system))
        if is_enough():
            return count
    return len(weeks)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.soak
@pytest.mark.parametrize(
    "point",
    [
        "execution.before-commit:8", "execution.after-commit:8", "risk.before-commit:4", "risk.after-commit:4",
        "edge.before-commit:4", "edge.after-commit:4", "paper.before-answer:3", "paper.after-answer:3",
    ],
)  # fmt: skip
def test_a_process_that_dies_again_and_again_while_it_trades_loses_and_doubles_nothing(system, point):
    prepare(system)
    system.start(crash_at=point)
    system.wait_for("accounts that may trade", lambda: is_ready(system))
    traded = trade(system, WEEKS[:-3], lambda: system.faults() >= 3)
    system.wait_for("three crashes", lambda: system.faults() >= 3)
    system.stop()  # a broker that dies whenever it has answered thrice lets nobody come to rest, and may fill nothing
    system.start()
    trade(system, WEEKS[traded:])
    system.wait_for("rest", lambda: is_at_rest(system))
    check_that_nothing_was_lost_or_doubled(system)


@pytest.mark.soak
def test_a_thrown_kill_switch_stops_new_orders_until_it_is_lifted(system):
    prepare(system)
    system.manage("kill_switch", "throw", "--reason", "a test")
    system.start()
    system.wait_for("accounts that may trade", lambda: is_ready(system))
    replay(system)
    system.wait_for("refusals", lambda: bool(columns(system, "execution.orders-ended.v1")))
    assert columns(system, "execution.orders-filled.v1") == []
    assert "THROWN: a test" in system.manage("kill_switch", "status")
    system.manage("kill_switch", "lift")
    system.stop()
    system.start()

    def is_filled() -> bool:
        """Order by hand, which the edge refuses until it knows what is held, and tell whether it was filled."""
        system.manage("accounts", "order", "A-1", "--instrument", "OANDA:EURUSD", "--lots", "1")
        return bool(columns(system, "execution.orders-filled.v1"))

    system.wait_for("a fill at the last close of before, as no bar comes", is_filled)
    system.verify()
