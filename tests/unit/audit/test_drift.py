"""Drift against a backtest: of orders that a backtest made there is none, and what is put into them is what is told."""

import numpy as np
import pytest

from apps.audit import drift as drift_module
from apps.audit import drift_bars
from apps.audit.drift import drift
from apps.backtest.interface import run
from apps.execution.book_contracts import Effective
from apps.feeds.contracts import BAR_COLUMNS, BarClosed
from apps.feeds.interface import NoData, shipped_instruments
from apps.reporting.interface import AccountRow, OrderRow, PnlRow
from apps.signals.contracts import ChannelSpec, DefineSet, MemberSpec
from banyan.columns import ints

EURUSD = "OANDA:EURUSD"
HOUR_NS = 3_600 * 10**9
BEGAN_NS = 1_772_409_600 * 10**9
DEPOSIT = 100_000.0
PARAMETERS = {"fast": 3, "slow": 8}
BARS = 400
FIRST = 100
"""The account's first order was decided at this bar or after it."""


def closes():
    walk = 110_000 + np.cumsum(np.random.default_rng(7).integers(-60, 61, BARS))
    return [
        BarClosed(
            feed="OANDA", interval_ns=HOUR_NS, closed_at_ns=BEGAN_NS + at * HOUR_NS, instruments=[EURUSD],
            revision=ints([0]),
            **{name: ints([close + 2 * name.startswith("ask")]) for name in BAR_COLUMNS if name != "volume_e6"},
            volume_e6=ints([-1]),
        )
        for at, close in enumerate(walk.tolist())
    ]  # fmt: skip


def order(decided_ns, lots, price, fee):
    fields = dict.fromkeys(OrderRow._fields)
    return OrderRow(**fields | {
        "account": "A1", "instrument": EURUSD, "decision": decided_ns // HOUR_NS, "set": "trend", "lots": lots,
        "filled": lots, "price": price, "fee": fee, "decided_at_ns": decided_ns,
    })  # fmt: skip


class Desk:
    """What reporting, feeds and signals answer, from lists that a test can change."""

    def __init__(self, monkeypatch):
        self.bars = closes()
        self.settings = {"allocation": "1", "multiplier": "1", "sizing": "weights", "reverse": "no"}
        self.currency = "USD"
        self.member = MemberSpec(
            strategy="sma_cross", code_hash="", parameters=PARAMETERS,
            channels=[ChannelSpec(instrument=EURUSD, interval_ns=HOUR_NS, tick_e9=10_000)],
        )  # fmt: skip
        self.orders = self.traded()
        self.pnl = 0.0
        for module in (drift_module.reporting,):
            monkeypatch.setattr(module, "orders", lambda *_: self.orders)
            monkeypatch.setattr(module, "pnl", lambda *_: self._pnl())
            monkeypatch.setattr(module, "accounts", lambda *_: [self._account()])
            monkeypatch.setattr(module, "settings_of", lambda _: [Effective(*each, "") for each in self._settings()])
            monkeypatch.setattr(module, "closed_at_ns", lambda _: self.bars[-1].closed_at_ns)
        monkeypatch.setattr(drift_bars, "bars_before", lambda _, counts, before: self.bars_before(counts, before))
        monkeypatch.setattr(drift_module, "get_instrument", shipped_instruments().get)
        monkeypatch.setattr(drift_module, "get_set", lambda name: DefineSet(set=name, members=[self.member]))

    def bars_before(self, counts, before_ns):
        ((_, count),) = counts.items()
        return [each for each in self.bars if each.closed_at_ns < before_ns][-count:]

    def traded(self):
        """Orders of a backtest on the bars from a little before FIRST on, as an account has had them."""
        kinds = {EURUSD: shipped_instruments()[EURUSD]}
        bars = {EURUSD: drift_bars._bars(self.member.channels[0], self.bars[FIRST - 20 :], kinds[EURUSD])}
        self.result = run(
            "sma_cross", bars, params=PARAMETERS, instruments=kinds, cash=DEPOSIT, sizing="weights",
            size_at="decision", leverage=1000.0, fee_bps=0.5,
        )  # fmt: skip
        fills = self.result.fill_records
        return [
            order(int(self.result.time[row["bar"] - 1]), float(row["quantity"]), float(row["price"]), float(row["fee"]))
            for row in fills
        ]  # fmt: skip

    def _pnl(self):
        return [PnlRow((EURUSD,), self.currency, 0, self.pnl, 0.0, 0.0, 0.0, 0.0, self.pnl)]

    def _account(self):
        return AccountRow("A1", "c", "paper", self.currency, DEPOSIT, DEPOSIT, DEPOSIT, 0.0)

    def _settings(self):
        return self.settings.items()


@pytest.fixture
def desk(monkeypatch):
    return Desk(monkeypatch)


def test_what_a_backtest_would_have_done_has_no_drift_but_the_rounding_of_its_equity(desk):
    desk.pnl = desk.result.final_equity - DEPOSIT
    (row,) = drift("trend", ["A1"]).rows
    assert len(desk.orders) > 20
    assert row.fills == row.fills_backtest == row.matched == len(desk.orders)
    assert row.lots == pytest.approx(row.lots_backtest, rel=1e-3)
    assert row.price_bps == pytest.approx(0.0, abs=1e-9)
    assert row.drift == pytest.approx(0.0, abs=DEPOSIT * 1e-5)


def test_what_live_paid_more_is_told_in_basis_points_and_what_it_lost_as_drift(desk):
    desk.pnl = desk.result.final_equity - DEPOSIT - 321.0
    desk.orders = [each._replace(price=each.price * (1 + 2e-4 * np.sign(each.filled))) for each in desk.orders]
    (row,) = drift("trend", ["A1"], fee_bps=0.5).rows
    assert row.price_bps == pytest.approx(2.0, abs=1e-6)
    assert row.drift == pytest.approx(-321.0, abs=DEPOSIT * 1e-5)


def test_orders_that_live_has_missed_are_not_matched(desk):
    desk.orders = [each for at, each in enumerate(desk.orders) if at % 5 != 1]
    (row,) = drift("trend", ["A1"]).rows
    assert row.fills == row.matched == len(desk.orders)
    assert row.fills_backtest > row.fills


@pytest.mark.parametrize(
    ("settings", "sizing"),
    [
        ({"allocation": "0.5"}, "percent:50"), ({"multiplier": "2", "allocation": "0.5"}, "weights"),
        ({"sizing": "lots:3", "multiplier": "2"}, "lots:6"), ({"sizing": "vol:15", "allocation": "0.2"}, "vol:3"),
    ],
)  # fmt: skip
def test_the_backtest_is_sized_as_the_account_is(desk, settings, sizing):
    assert drift_module._sizing(desk.member, desk.settings | settings) == sizing


def test_what_no_backtest_does_is_not_compared_and_told_why(desk):
    desk.settings["reverse"] = "yes"
    assert drift("trend", ["A1"]).notes == ["A1: it trades the reverse of the set, which no backtest does"]
    desk.settings["reverse"], desk.currency = "no", "EUR"
    assert drift("trend", ["A1"]).notes == ["A1: prices are in USD, it is in EUR"]
    desk.orders = []
    assert drift("trend", ["A1"]).notes == ["A1: it has had no order of this set"]


def test_without_bars_since_the_first_order_there_is_nothing_to_run_on(desk):
    desk.bars = desk.bars[: FIRST - 20]
    with pytest.raises(NoData, match="has let in no bar since the first order"):
        drift("trend", ["A1"])
