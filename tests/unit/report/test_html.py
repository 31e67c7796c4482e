import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from apps.backtest.report.html import (
    write_montecarlo_report,
    write_report,
    write_sweep_report,
    write_walkforward_report,
)
from apps.backtest.report.payload import MOST_BARS, MOST_TRADES, run_payload, shown_bars, shown_channels
from tests.unit.report.example_runs import (
    SPY,
    cross_run,
    daily_bars,
    eurusd_bars,
    example_montecarlo,
    example_sweep,
    example_walk,
    random_bars,
)

MEGABYTE = 1_000_000
ATTACK = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&\u2028$title"""


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.scripts, self.attributes = [], [], [], [], []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self._inside = tag
        self.tags.append(tag)
        self.ids += [known["id"]] if "id" in known else []
        self.links += [known[name] for name in ("href", "src") if name in known]
        self.attributes += list(known)

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts.append(data)

    def handle_endtag(self, tag):
        self._inside = ""


@pytest.fixture(scope="module")
def stock():
    return cross_run(daily_bars("spy"), instrument=SPY, short=False)


def _written(result, tmp_path):
    return write_report(result, tmp_path / "report.html").read_text("utf-8")


def test_report_holds_every_section_and_each_id_once(stock, tmp_path):
    page = _Page(_written(stock, tmp_path))
    for section in ("equity", "price", "months", "rolling", "distribution", "drawdowns", "metrics", "trades", "run"):
        assert section in page.ids
    assert len(page.ids) == len(set(page.ids))
    assert [link for link in page.links if link.startswith("#") and link[1:] not in page.ids] == []


def test_report_fetches_nothing(stock, tmp_path):
    page = _Page(_written(stock, tmp_path))
    assert {link for link in page.links if not link.startswith("#")} == {"data:,", "https://www.tradingview.com/"}
    assert "default-src 'none'" in _written(stock, tmp_path)


def test_hostile_names_cannot_leave_their_place(stock, tmp_path):
    manifest = {"command": ATTACK, ATTACK: ATTACK, "options": {ATTACK: ATTACK, "currency": ATTACK}}
    hostile = replace(
        stock,
        strategy=ATTACK,
        params={ATTACK: ATTACK},
        channels=(ATTACK,),
        notes=(ATTACK,),
        metrics={**stock.metrics, ATTACK: 1.0},
        manifest=manifest,
    )
    page, plain = _Page(_written(hostile, tmp_path)), _Page(_written(stock, tmp_path))
    assert page.tags.count("script") == plain.tags.count("script")
    assert page.tags.count("img") == 0
    assert "onerror" not in page.attributes
    data = next(json.loads(text) for text in page.scripts if text.startswith('{"run"'))
    assert data["run"]["channels"] == [ATTACK]


def test_hourly_years_stay_under_six_megabytes(tmp_path):
    path = write_report(cross_run(eurusd_bars(), 20, 50), tmp_path / "r.html")
    assert path.stat().st_size < 6 * MEGABYTE


def test_a_million_bars_stay_under_six_megabytes(tmp_path):
    path = write_report(cross_run(random_bars(1_000_000), 200, 500), tmp_path / "r.html")
    assert path.stat().st_size < 6 * MEGABYTE
    assert "Bars of 5m, made of 1m bars" in path.read_text("utf-8")


def test_only_the_last_trades_are_listed_and_the_page_says_so(stock, tmp_path):
    many = np.tile(stock.trade_records, 1 + MOST_TRADES // stock.trade_records.size)
    result = replace(stock, trade_records=many)
    payload = run_payload(result, shown_bars(result), "USD")
    assert payload["trades"]["channel"]["n"] == MOST_TRADES
    assert "The last 30\u202f000 of" in _written(result, tmp_path)


def test_many_instruments_share_the_bars_of_a_page(stock):
    bars = random_bars(12_000)
    n = 60
    trades = np.zeros(3, dtype=stock.trade_records.dtype)
    trades["channel"] = 59
    result = replace(
        stock, channels=tuple(f"SIM:{i}" for i in range(n)), bars=(bars,) * n, time=bars.time, equity=bars.close,
        exposure=bars.close, benchmark=None, trade_records=trades,
    )  # fmt: skip
    shown = shown_channels(result)
    assert len(shown) == 40
    assert shown[-1] == 59
    assert sum(len(part) for part in shown_bars(result)) <= MOST_BARS


def test_run_without_trades_says_so(stock, tmp_path):
    text = _written(
        replace(stock, trade_records=stock.trade_records[:0], fill_records=stock.fill_records[:0]), tmp_path
    )
    assert text.count("The strategy made no trades") == 3


def test_run_without_benchmark_says_so(tmp_path):
    text = _written(cross_run(daily_bars("spy"), instrument=SPY, benchmark=False), tmp_path)
    assert "The run had no benchmark." in text
    assert "Benchmark: the starting cash" not in text


@pytest.mark.parametrize("n", [0, 1, 2])
def test_run_of_hardly_any_bars_is_reported(n, tmp_path):
    bars = replace(
        daily_bars("spy"),
        **{name: getattr(daily_bars("spy"), name)[:n] for name in ("time", "open", "high", "low", "close")},
    )
    result = cross_run(daily_bars("spy"), instrument=SPY)
    empty = replace(
        result, bars=(bars,), time=result.time[:n], equity=result.equity[:n], exposure=result.exposure[:n],
        benchmark=None, trade_records=result.trade_records[:0], metrics={},
    )  # fmt: skip
    text = _written(empty, tmp_path)
    assert ("One bar has no curve" in text) == (n < 2)
    assert "The run computed no metrics." in text


def test_missing_metric_is_a_dash_with_its_reason(stock, tmp_path):
    text = _written(replace(stock, metrics={"sharpe": math.nan, "profit_factor": None}), tmp_path)
    assert "No value here. It has none with: no loser." in text
    assert "No value here. It has none with: fewer than two returns" in text
    assert len(re.findall(r'class="nothing"[^>]*>\u2013<', text)) == 4


def test_equity_that_is_lost_or_not_a_number_is_reported(stock, tmp_path):
    lost = stock.equity.copy()
    lost[4000:] = 0.0
    assert "Monthly returns" in _written(replace(stock, equity=lost), tmp_path)
    lost[4000:] = np.nan
    assert "Monthly returns" in _written(replace(stock, equity=lost), tmp_path)
    assert "no Sharpe ratio" in _written(replace(stock, equity=np.full(lost.size, 1e5)), tmp_path)


def test_manifest_says_how_to_run_it_again(stock, tmp_path):
    text = _written(stock, tmp_path)
    assert stock.manifest["command"] in text
    for name in ("code_hash", "data_hash", "engine_version"):
        assert stock.manifest[name] in text
    assert "Not used" not in text
    unused = {**stock.manifest, "options": {"cash": 100_000.0, "fee_per_lot": 0.0, "rebalance": None}}
    text = _written(replace(stock, manifest=unused), tmp_path)
    assert "fee per lot, rebalance" in text
    assert "100\u202f000" in text
    words = replace(stock, manifest={**stock.manifest, "command": ["manage.py", "backtest", "a b"]})
    assert "manage.py backtest &#x27;a b&#x27;" in _written(words, tmp_path)


def test_report_method_of_a_result_writes_the_page(stock, tmp_path):
    path = stock.report(str(tmp_path / "deep" / "er" / "out.html"))
    assert path.read_text("utf-8").startswith("<!doctype html>")


def test_sweep_report_shows_the_map_and_the_best_run(stock, tmp_path):
    page = _Page(write_sweep_report(example_sweep(stock), tmp_path / "s.html").read_text("utf-8"))
    assert {"heatmap", "sweep-map", "best", "spread", "equity", "trades"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_sweep_over_one_parameter_is_a_plot_and_an_empty_one_says_why(tmp_path):
    table = {"fast": [5, 6, 7], "sharpe": [0.1, np.nan, 0.3]}
    sweep = replace(example_sweep(), parameters=("fast",), table=table)
    text = write_sweep_report(sweep, tmp_path / "s.html").read_text("utf-8")
    assert "Sharpe ratio by fast" in text
    assert 'id="sweep-map"' not in text
    nothing = replace(sweep, table={"fast": [5], "sharpe": [np.nan]})
    text = write_sweep_report(nothing, tmp_path / "n.html").read_text("utf-8")
    assert "No combination has a value of Sharpe ratio." in text


def test_walk_forward_report_lists_every_window(stock, tmp_path):
    walk = example_walk(stock)
    text = write_walkforward_report(walk, tmp_path / "w.html").read_text("utf-8")
    assert text.count('class="area wide"') == 1
    assert text.count('class="test"') == len(walk.windows)
    assert "What was chosen" in text
    alone = write_walkforward_report(replace(walk, result=None, bands=None), tmp_path / "a.html").read_text("utf-8")
    assert 'id="trades"' not in alone


@pytest.mark.parametrize(
    ("trained", "tested", "told"), [(2.0, 1.0, "50\u202f%"), (2.0, -1.0, "nothing"), (-1.0, 1.0, "\u2013")]
)
def test_walk_forward_report_says_how_much_of_a_score_is_left_where_there_was_any(
    stock, tmp_path, trained, tested, told
):
    walk = example_walk(stock)
    windows = [replace(window, train_score=trained, test_score=tested) for window in walk.windows]
    text = write_walkforward_report(replace(walk, windows=windows), tmp_path / "w.html").read_text("utf-8")
    assert f"<dt>Kept out of sample</dt><dd>{told}</dd>" in text


def test_monte_carlo_report_shows_fan_histograms_and_quantiles(tmp_path):
    text = write_montecarlo_report(example_montecarlo(), tmp_path / "m.html").read_text("utf-8")
    for word in ("5\u202f% to 95\u202f% of paths", "What happened", "Return of the paths", "Quantiles", "seed 13"):
        assert word in text
    none = replace(example_montecarlo(), final_equity=np.zeros(0), max_drawdown_pct=np.zeros(0))
    assert "No path has a final value." in write_montecarlo_report(none, tmp_path / "n.html").read_text("utf-8")


def test_importing_the_report_loads_no_slow_package():
    slow = ("django", "pandas", "matplotlib")
    code = f"import sys, apps.backtest.report.html; print([name for name in {slow} if name in sys.modules])"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
