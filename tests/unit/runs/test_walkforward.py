"""Windows of a walk-forward, and what is stitched from them."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from apps.backtest.cli_grid import GridError, Span
from apps.backtest.interface import run
from apps.backtest.request import Loaded
from apps.backtest.walkforward import WalkForward, WarmupError, closing, walk_forward, windows_of, without_warmup
from trading.bars import Bars
from trading.instruments import Instrument

DAY = 86_400_000_000_000
YEAR, HALF = Span(12, 0), Span(6, 0)


def ns(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def spans(windows: list[Any]) -> list[tuple[str, ...]]:
    return [tuple(str(np.datetime64(each, "ns"))[:10] for each in (*window.train, *window.test)) for window in windows]


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """Return six years of days on which a price wanders."""
    rng = np.random.default_rng(11)
    time = np.arange(ns("2010-01-01"), ns("2016-01-01"), DAY)
    close = 100.0 * np.cumprod(1.0 + rng.normal(0.0002, 0.01, time.size))
    opens = np.concatenate(([100.0], close[:-1]))
    bars = Bars(time, opens, np.maximum(opens, close), np.minimum(opens, close), close, interval=DAY)
    return Loaded({"X:A": bars}, {"X:A": Instrument(id="X:A")})


@pytest.fixture(scope="module")
def walk(loaded: Loaded) -> WalkForward:
    """Return a walk-forward over those days."""
    grid = {"fast": [3, 8], "slow": [20, 40]}
    return walk_forward(
        "sma_cross",
        loaded,
        grid=grid,
        train=Span(24, 0),
        test=YEAR,
        rank="return_pct",
        workers=1,
        cash=1000.0,
        fee_bps=10.0,
    )


def test_windows_follow_one_another_by_the_test_span() -> None:
    found = windows_of(ns("2010-01-04T05:00"), ns("2012-03-01"), YEAR, HALF)
    assert spans(found) == [
        ("2010-01-04", "2011-01-04", "2011-01-04", "2011-07-04"),
        ("2010-07-04", "2011-07-04", "2011-07-04", "2012-01-04"),
        ("2011-01-04", "2012-01-04", "2012-01-04", "2012-03-01"),
    ]


def test_anchored_windows_begin_on_the_first_day() -> None:
    found = windows_of(ns("2010-01-04"), ns("2012-03-01"), YEAR, HALF, anchored=True)
    assert {window[0] for window in spans(found)} == {"2010-01-04"}
    assert [window[1] for window in spans(found)] == ["2011-01-04", "2011-07-04", "2012-01-04"]


def test_month_ends_do_not_drift_and_test_spans_meet() -> None:
    found = windows_of(ns("2010-01-31"), ns("2010-07-01"), Span(1, 0), Span(1, 0))
    assert [window[2] for window in spans(found)] == [
        "2010-02-28",
        "2010-03-31",
        "2010-04-30",
        "2010-05-31",
        "2010-06-30",
    ]
    assert all(one.test[1] == other.test[0] for one, other in pairwise(found))


def test_step_shorter_than_the_test_span_is_refused() -> None:
    with pytest.raises(GridError, match="twice"):
        windows_of(ns("2010-01-01"), ns("2015-01-01"), YEAR, HALF, step=Span(3, 0))


def test_bars_that_end_before_the_first_training_does_are_refused() -> None:
    with pytest.raises(GridError, match="--train"):
        windows_of(ns("2010-01-01"), ns("2010-06-01"), YEAR, HALF)


def test_bars_belong_to_the_span_in_which_they_close(loaded: Loaded) -> None:
    bars = loaded.bars["X:A"]
    part = closing(bars, ns("2011-01-01"), ns("2012-01-01"))
    assert (part.time[0], part.time[-1] + DAY) == (ns("2011-01-01"), ns("2012-01-01"))
    whole = sum(len(closing(bars, ns(f"{year}-01-01"), ns(f"{year + 1}-01-01"))) for year in range(2010, 2016))
    assert whole == len(bars)


def test_stitched_curve_has_every_close_after_the_first_training_once(walk: WalkForward, loaded: Loaded) -> None:
    closes = loaded.bars["X:A"].time + DAY
    assert walk.result.time.tolist() == closes[closes > ns("2012-01-01")].tolist()
    assert walk.result.equity.size == walk.result.exposure.size == walk.result.time.size
    assert walk.result.bars[0].close.tolist() == loaded.bars["X:A"].close[-walk.result.time.size :].tolist()


def test_each_window_is_the_plain_run_on_its_bars(walk: WalkForward, loaded: Loaded) -> None:
    cash, at = 1000.0, 0
    for trained in walk.windows:
        assert trained.params is not None
        warmup = trained.params["slow"]
        first = int(np.searchsorted(loaded.bars["X:A"].time, trained.window.test[0]))
        last = int(np.searchsorted(loaded.bars["X:A"].time, trained.window.test[1]))
        bars = {
            name: getattr(loaded.bars["X:A"], name)[first - warmup : last]
            for name in ("time", "open", "high", "low", "close")
        }
        plain = run(
            "sma_cross", {"X:A": bars}, params=trained.params, cash=cash, fee_bps=10.0, instruments=loaded.instruments
        )
        assert walk.result.equity[at : at + last - first].tobytes() == plain.equity[warmup:].tobytes()
        assert walk.result.exposure[at : at + last - first].tobytes() == plain.exposure[warmup:].tobytes()
        cash, at = plain.final_equity, at + last - first
    assert walk.result.final_equity == cash


def test_no_window_is_chosen_with_bars_that_it_trades(walk: WalkForward, loaded: Loaded) -> None:
    bars = loaded.bars["X:A"]
    cut = int(np.searchsorted(bars.time, ns("2014-01-01")))
    other = bars.close.copy()
    other[cut:] = other[cut - 1] * np.linspace(1.0, 3.0, other.size - cut)
    changed = replace(bars, open=other, high=other, low=other, close=other)
    before = replace(
        changed, **{name: np.concatenate([getattr(bars, name)[:cut], other[cut:]]) for name in ("open", "high", "low")}
    )
    again = walk_forward(
        "sma_cross", replace(loaded, bars={"X:A": before}), grid={"fast": [3, 8], "slow": [20, 40]}, train=Span(24, 0),
        test=YEAR, rank="return_pct", workers=1, cash=1000.0, fee_bps=10.0,
    )  # fmt: skip
    assert [each.params for each in again.windows[:3]] == [each.params for each in walk.windows[:3]]
    assert [each.train_score for each in again.windows[:3]] == [each.train_score for each in walk.windows[:3]]


def test_fills_and_trades_point_at_the_stitched_bars(walk: WalkForward) -> None:
    result = walk.result
    opens = result.bars[0].open[result.fill_records["bar"]]
    assert opens.tolist() == result.fill_records["price"].tolist()
    trades = result.trade_records
    assert (result.bars[0].time[trades["entry_bar"]] == trades["entry_time"]).all()
    assert trades["is_open"][:-1].sum() == 0


def test_stitched_metrics_are_those_of_the_stitched_curve(walk: WalkForward) -> None:
    metrics = walk.result.metrics
    assert metrics["final_equity"] == walk.result.final_equity
    assert metrics["return_pct"] == pytest.approx(100.0 * (walk.result.final_equity / 1000.0 - 1.0), rel=1e-12)
    assert metrics["n_fills"] == walk.result.fill_records.size
    assert metrics["fees_paid"] == pytest.approx(walk.result.fill_records["fee"].sum(), rel=1e-9)
    assert metrics["n_trades"] == int((walk.result.trade_records["is_open"] == 0).sum())


def test_stitched_exposure_is_flat_at_the_start_of_each_window_and_what_is_held_after(loaded: Loaded) -> None:
    grid = {"fast": [3, 8], "slow": [20, 40]}
    walk = walk_forward("sma_cross", loaded, grid=grid, train=Span(6, 0), test=Span(1, 0), workers=1)
    result = walk.result
    fills = {int(fill["bar"]): float(fill["position"]) for fill in result.fill_records}
    starts = {int(np.searchsorted(result.time, each.window.test[0], side="right")) for each in walk.windows}
    held, left, exposure = 0.0, 0, np.zeros(result.time.size)
    for row in range(result.time.size):
        left += row in starts and row not in fills and held != 0.0
        held = fills.get(row, 0.0 if row in starts else held)
        exposure[row] = held * result.bars[0].close[row] / result.equity[row]
    assert left > 0  # else the fills alone would tell the same
    assert result.exposure == pytest.approx(exposure, abs=1e-12)
    assert result.metrics["exposure_pct"] == 100.0 * np.count_nonzero(exposure) / exposure.size
    assert result.metrics["avg_exposure_pct"] == pytest.approx(100.0 * exposure.mean())


def test_strategy_that_trades_in_its_warmup_is_refused(loaded: Loaded) -> None:
    result = run("sma_cross", loaded.bars, params={"fast": 3, "slow": 20})
    with pytest.raises(WarmupError, match="warm-up"):
        without_warmup(result, ns("2011-01-01"))


def test_same_walk_gives_the_same_bits(walk: WalkForward, loaded: Loaded) -> None:
    again = walk_forward(
        "sma_cross", loaded, grid={"fast": [3, 8], "slow": [20, 40]}, train=Span(24, 0), test=YEAR, rank="return_pct",
        workers=1, cash=1000.0, fee_bps=10.0,
    )  # fmt: skip
    assert again.result.equity.tobytes() == walk.result.equity.tobytes()
