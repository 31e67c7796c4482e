import pytest

from apps.backtest.parity import Case, backtest, compare, told
from tests.parity.test_parity import *
from tests.parity.test_parity import _loaded

pytestmark = pytest.mark.django_db(transaction=True, databases=["feeds", "signals", "execution", "risk", "edge"])


def test_it(tmp_path):
    loaded = _loaded({EURUSD: "eurusd_1h_quotes.csv.gz"}, "2016-01-04", "2016-02-04")
    cases = [Case(strategy=DRAWN, params={"seed": seed}, channels=(EURUSD,)) for seed in range(1, 13)]
    with paper_broker(tmp_path) as broker:
        bars, traded = trade(cases, loaded, broker)
    for case, live in zip(cases, traded, strict=True):
        for line in told(compare(case, live, backtest(case, bars, loaded))):
            print(case.params, line)
