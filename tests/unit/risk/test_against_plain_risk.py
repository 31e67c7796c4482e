"""Risk against its rules written once more with dictionaries and loops: the same answers whatever happens."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from apps.execution.contracts import AccountOpened, AccountValued, OrdersEnded, OrdersRequested, PositionChanged
from apps.risk.contracts import (
    AllowInstruments,
    Limits,
    OrdersApproved,
    OrdersRefused,
    SessionWindow,
    SetLimits,
    SetSessions,
    SetTradingState,
    StopsLifted,
    TradingStateChanged,
)
from banyan.columns import ints
from banyan.messages import TimerDue
from tests.oracles.risk import LOSSES, PlainRisk
from tests.unit.risk.desk import DAY, E9, HOUR, MINUTE, SECOND, Desk, filled, terms

ACCOUNTS = (1, 2, 7)
HEDGING = 2
UNKNOWN = 99
INSTRUMENTS = ("EURUSD", "DE40", "BTC")
ZONES = ("UTC", "America/New_York", "Asia/Tokyo")
SPANS = (0, 1, 40_000_000, 250_000_000, SECOND, 7 * SECOND, MINUTE, HOUR, 9 * HOUR, DAY, 8 * DAY, 40 * DAY)
BOUNDS = {
    "position_steps_max": (3, 8, 12), "order_steps_max": (4, 7), "order_notional_micro_max": (60, 150),
    "collar_e9_max": (0, E9 // 50, E9 // 6), "price_age_ns_max": (0, SECOND, 3 * SECOND), "gross_micro_max": (80, 200),
    "net_micro_max": (50, 150), "leverage_e9_max": (E9 // 2, E9, 2 * E9 + 1), "margin_e9_max": (E9 // 4, E9 // 2, E9),
    "orders_per_second_max": (1, 2, 4), "orders_per_minute_max": (3, 6),
    **dict.fromkeys((name for name, _, _ in LOSSES.values()), (E9 // 10, E9 // 3, E9)), "flatten_on_stop": (0, 1),
}  # fmt: skip
IMPOSSIBLE = (
    {"steps": 0}, {"steps": 2**60}, {"steps": -(2**63)}, {"value": 0}, {"value": -1}, {"value": 2**58 + 1},
    {"shift": -99}, {"kind": 4}, {"kind": -1}, {"kind": 1, "limit": 0}, {"kind": 2, "stop": -3}, {"value": 2**57},
    {"steps": 2**53, "value": 2**6},
)  # fmt: skip


WINDOWS = ([(9660, 6780)], [(0, 10080)], [(500, 900), (2000, 90)], [])


def random_order(random):
    order = {
        "account": random.choice((*ACCOUNTS[:2] * 12, ACCOUNTS[2], UNKNOWN)),
        "instrument": random.choice((0, 0, 0, 1, 2)),
        "shift": random.choice((*[1] * 15, 3, 0, -1)),  # of the decision, against the last one
        "steps": random.choice((-9, -5, -3, -2, -1, 1, 2, 3, 5, 9)),
        "value": random.choice((3, 10, 10, 11, 30)),
        "kind": random.choice((0, 0, 0, 1, 2, 3)),
        "limit": random.randint(90, 115),
        "stop": random.randint(90, 115),
        "reduce_only": int(random.random() < 0.2),
        "books": random.choice(([], [], [], [0, 1], [1, 2], [2])),
    }
    return order | (random.choice(IMPOSSIBLE) if random.random() < 0.004 else {})


def random_value(random):
    number = random.choice((*ACCOUNTS[:2] * 6, ACCOUNTS[2], UNKNOWN))
    gross = random.randint(0, 60)
    row = [
        random.randint(40, 200),
        random.randint(60, 200),
        random.randint(0, 40),
        gross,
        random.randint(-gross, gross),
        random.choice((0, 0, 0, random.randint(-50, 50))),
    ]
    if random.random() < 0.01:
        row[random.randrange(6)] = random.choice((-1, -30, 2**58, 2**58 + 1, -(2**62)))
    return number, *row


def random_limits(random, instrument):
    names = list(BOUNDS)[:5] if instrument else list(BOUNDS)
    return Limits(**{name: random.choice(BOUNDS[name]) for name in names if random.random() < 0.2})


def random_action(random):
    """Return an action's name and its values; most ask for orders."""
    name = random.choices(
        ("ask", "cut", "hold", "value", "limits", "state", "allow", "sessions", "open", "wait", "restart"),
        (30, 12, 8, 6, 6, 12, 2, 2, 2, 14, 2),
    )[0]
    where = random.choice(("", *INSTRUMENTS))
    pick = random.choice
    if name == "ask":
        orders = [random_order(random) for _ in range(random.randint(1, 5))]
        quote = pick(((100, 102), (100, 102), (0, 102), (97, 98)))
        return name, orders, pick("ab"), pick((0, 0, 0, 2, 4)), quote, pick(([], [], [0, 2, 0], [1, 0, 4], [3, -1, 0]))
    values = {
        "cut": [[(random.randint(1, 9), pick((0, 0, 0, 1, -1, 2))) for _ in range(3)], random.random() < 0.3],
        "hold": [
            pick((*ACCOUNTS[:2] * 9, *ACCOUNTS, UNKNOWN)), random.randrange(3), pick((*range(-9, 10), 2**60)),
            pick((0, -2, -7)),
        ],
        "value": [[random_value(random) for _ in range(random.randint(1, 4))]],
        "limits": [random_limits(random, where), pick((-1, *ACCOUNTS[:2])), where],
        "state": [pick((*[0] * 20, 1, 2)), pick((0, 1, 1, 1, 1, 1, 2, 3)), pick(ACCOUNTS[:2])],
        "allow": [pick(ACCOUNTS), pick((None, None, [], ["EURUSD"], list(INSTRUMENTS[:2])))],
        "sessions": [pick(INSTRUMENTS[1:]), pick(ZONES), pick(WINDOWS)],
        "open": [pick(ACCOUNTS), pick(ZONES)],
        "wait": [pick(SPANS)],
        "restart": [],
    }  # fmt: skip
    return name, *values[name]


class Pair:
    """The same inputs for both."""

    def __init__(self, margins):
        self.desk, self.plain = Desk(), PlainRisk()
        self.margins = margins
        self.known = []

    def open(self, number, zone="UTC"):
        message = AccountOpened(
            account="a", number=number, client="c", broker="b", currency="USD", leverage_e9=4 * E9,
            hedging=number == HEDGING, time_zone=zone, balance_micro=100,
        )  # fmt: skip
        self.desk.give(message)
        self.plain.open(message)

    def ask(self, orders, set_name, age_seconds, quote, before_seconds):
        decisions = []
        shares = [(row, book) for row, order in enumerate(orders) for book in order["books"]]
        for order in orders:
            pair = order["account"], INSTRUMENTS[order["instrument"]]
            last = max((decision for *known, decision in self.known if tuple(known) == pair), default=0)
            decisions.append(last + order["shift"])
            self.known.append((*pair, decisions[-1]))

        def column(name):
            return ints([order[name] for order in orders])

        decided_at_ns = self.desk.now - age_seconds * SECOND
        message = OrdersRequested(
            set=set_name, decided_at_ns=decided_at_ns,
            quoted_at_ns=ints([decided_at_ns - each * SECOND for each in before_seconds]),
            terms=[terms(name, margin) for name, margin in zip(INSTRUMENTS, self.margins, strict=True)],
            bid_ticks=ints([quote[0], 99, 0]), ask_ticks=ints([quote[1], 99, 1]), account=column("account"),
            instrument=column("instrument"), decision=ints(decisions), steps=column("steps"),
            step_value_micro=column("value"), order_type=column("kind"), limit_ticks=column("limit"),
            stop_ticks=column("stop"), reduce_only=column("reduce_only"), books=["a", "b", "c"],
            share_order=ints([row for row, _ in shares]), share_book=ints([book for _, book in shares]),
            share_steps=ints([1 for _ in shares]),
        )  # fmt: skip
        expected = self.plain.check(message, self.desk.now, self.desk.now)
        found = verdict_rows(self.desk.give(message))
        assert sorted(found) == sorted(expected)

    def cut(self, rows, is_end):
        for at, left in rows:
            if not self.known:
                return
            number, instrument, decision = self.known[-(at % len(self.known))]
            row = [instrument], ints([number]), ints(), ints([decision])
            if is_end:
                columns = dict(zip(("instruments", "account", "instrument", "decision"), row, strict=True))
                self.desk.give(OrdersEnded(**columns, left_steps=ints([left]), kind=ints(), code=ints()))
            else:
                self.desk.give(filled(*row, ints([1]), ints([left])))
            self.plain.cut(number, instrument, decision, 0 if is_end else left)

    def hold(self, account, index, steps, held_short):
        name, held_short = INSTRUMENTS[index], held_short if account == HEDGING else 0
        self.desk.give(
            PositionChanged(
                instruments=[name], account=ints([account]), instrument=ints(), steps=ints([steps]),
                short_steps=ints([held_short]),
            )
        )  # fmt: skip
        self.plain.hold(account, name, steps, held_short)

    def value(self, rows):
        columns = dict(zip(("account", "balance_micro", "equity_micro", "margin_micro", "gross_micro", "net_micro",
                            "paid_in_micro"),
                           map(ints, zip(*rows, strict=True)), strict=True))  # fmt: skip
        self.stopped(
            self.desk.give(AccountValued(valued_at_ns=self.desk.now, **columns)), self.plain.value(self.desk.now, rows)
        )

    def stopped(self, events, expected):
        found = []
        for event in events:
            if isinstance(event, TradingStateChanged) and event.stop:
                count = event.accounts.size
                columns = [column if column.size else np.zeros(count, int) for column in (event.level, event.bound)]
                found += [
                    (*each[:1], event.stop, *each[1:])
                    for each in zip(event.accounts.tolist(), *columns, event.actual.tolist(), strict=True)
                ]
                for number in event.accounts.tolist():
                    bound = self.plain.bound("flatten_on_stop", number, "")[0]
                    assert event.flatten == (bound == 1)
        assert sorted(found) == sorted(expected)

    def limits(self, values, account, instrument):
        events = self.desk.give(SetLimits(limits=values, account=account, instrument=instrument))
        self.stopped(events, self.plain.set_limits(asdict(values), account, instrument, self.desk.now))

    def state(self, state, level, account):
        where = ({}, {"accounts": [account]}, {"set": "a"}, {"instrument": "DE40"})[level]
        self.desk.give(SetTradingState(state=state, **{k: ints(v) if k == "accounts" else v for k, v in where.items()}))
        self.plain.set_state(
            state, where.get("accounts", ()), where.get("set", ""), where.get("instrument", "")
        )  # fmt: skip

    def allow(self, account, instruments):
        self.desk.give(AllowInstruments(account=account, instruments=instruments))
        self.plain.account(account).allowed = instruments

    def sessions(self, instrument, zone, windows):
        shaped = [SessionWindow(opens_minute=opens, closes_minute=closes) for opens, closes in windows]
        self.desk.give(SetSessions(instrument=instrument, time_zone=zone, windows=shaped))
        self.plain.sessions[instrument] = zone, windows

    def wait(self, span):
        self.desk.now += span
        events = self.desk.give(TimerDue(name="period", due_ns=self.desk.now))
        found = [
            pair for event in events if isinstance(event, StopsLifted)
            for pair in zip(event.account.tolist(), event.stop.tolist(), strict=True)
        ]  # fmt: skip
        assert sorted(found) == sorted(self.plain.period_over(self.desk.now))

    def restart(self):
        self.desk.restart()

    def compare(self):
        for number in self.plain.accounts:
            assert self.desk.reserved(number) == self.plain.reserved(number)
        cells, names = self.desk.state.cells.rows, self.desk.state.instrument_names.names
        for row in range(cells.size):
            cell = cells[row]
            number = int(self.desk.state.accounts.rows[cell.account].number)
            plain = self.plain.cell(number, names[cell.instrument], bool(row and row in cells["beside"]))
            assert (cell.position, cell.long, cell.short) == (plain.position, plain.long, plain.short)


def verdict_rows(events):
    rows = []
    for event in events:
        if isinstance(event, OrdersApproved | OrdersRefused):
            count = event.account.size

            def column(name, event=event, count=count):
                values = getattr(event, name, ints())
                return values.tolist() if values.size else [0] * count

            instruments = [event.instruments[index] for index in column("instrument")]
            rows += zip(event.account.tolist(), instruments, column("decision"), column("reason"), column("level"),
                        column("bound"), column("actual"), strict=True)  # fmt: skip
    return rows


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_risk_answers_as_its_rules_written_once_more(seed):
    random = Random(seed)
    pair = Pair([random.choice((*(0, E9 // 3, E9) * 13, E9 + 1)) for _ in INSTRUMENTS])
    for number in ACCOUNTS[:2]:
        pair.open(number)
    for _ in range(120):
        name, *values = random_action(random)
        getattr(pair, name)(*values)
        pair.compare()
