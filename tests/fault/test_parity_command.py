"""`manage.py parity`, as it is typed."""

from tests.fault.system import ROOT, System

SPY = ROOT / "apps/feeds/sample/spy_1d.csv.gz"


def test_the_same_bars_are_traded_live_as_in_a_backtest(system: System):
    span = ("--from", "2016-01-01", "--to", "2016-04-01")
    told = system.manage("parity", "buy_and_hold", "--csv", f"NYSEARCA:SPY={SPY}", "--interval", "1d", *span)
    assert "buy_and_hold" in told
    assert "the same" in told
