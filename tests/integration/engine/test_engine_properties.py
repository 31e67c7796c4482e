"""What holds for every run, tried on random bars, targets and options."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.backtest import classic, engine
from apps.backtest.interface import Result, run
from tests.integration.engine.fuzz import Case, digest_of, random_bars, random_case, random_options
from tests.profiles import examples
from trading.instruments import Instrument
from trading.ledger import MARGIN_CALL

SEEDS = st.integers(0, 2**32 - 1)
MANY = examples(0.8)
SEVERAL = pytest.mark.parametrize("channels", [1, 3])


def held_at_closes(result: Result, rows: int) -> tuple[Any, Any]:
    """Return cash, float64[rows], and lots, float64[rows, channels], after the fills of each row."""
    cash, lots = np.full(rows, np.nan), np.zeros((rows, len(result.channels)))
    now, held, k = np.nan, np.zeros(len(result.channels)), 0
    for t in range(rows):
        while k < result.n_fills and result.fill_records["bar"][k] == t:
            fill = result.fill_records[k]
            now, held[fill["channel"]], k = fill["cash"], fill["position"], k + 1
        cash[t], lots[t] = now, held
    return cash, lots


def closes_of(result: Result) -> Any:
    """Return the last close of each channel, float64[rows, channels]."""
    out = np.empty((result.equity.size, len(result.bars)))
    for i, bars in enumerate(result.bars):
        known = np.searchsorted(bars.time + bars.interval, result.time, side="right") - 1
        out[:, i] = np.where(known >= 0, bars.close[np.maximum(known, 0)], np.nan)
    return out


@SEVERAL
@MANY
@given(seed=SEEDS)
def test_equity_is_cash_and_positions(channels: int, seed: int) -> None:
    case = random_case(seed, channels)
    result = case.run(swap_long_pct=0.0, swap_short_pct=0.0)
    cash, lots = held_at_closes(result, result.equity.size)
    cash[np.isnan(cash)] = case.options.get("cash", 100_000.0)
    value = np.nansum(np.where(lots != 0, lots * closes_of(result), 0.0), axis=1) * case.instrument.contract_size
    np.testing.assert_allclose(result.equity, cash + value, rtol=1e-12, atol=1e-8 * np.abs(value).max() + 1e-9)


@SEVERAL
@MANY
@given(seed=SEEDS)
@example(seed=60358)  # an order of a hedging account cut to what was left of its margin: next to nothing
def test_round_trips_add_up_to_what_equity_has_gained(channels: int, seed: int) -> None:
    case = random_case(seed, channels)
    result = case.run()
    gained = result.final_equity - case.options.get("cash", 100_000.0)
    traded = (
        np.abs(result.fill_records["quantity"] * result.fill_records["price"]).sum() * case.instrument.contract_size
    )
    assert result.trade_records["pnl"].sum() == pytest.approx(gained, abs=1e-11 * traded + 1e-7)
    assert result.trade_records["fees"].sum() == pytest.approx(result.metrics["fees_paid"], abs=1e-7)


@MANY
@given(seed=SEEDS)
def test_cash_ledger_sums_to_the_last_millionth(seed: int) -> None:
    case = random_case(seed)
    exact = Instrument("V:X", asset_class="equity", tick_size=0.01, lot_step=0.1, contract_size=5.0, calendar="24x7")
    result = Case(case.seed, case.bars, case.script, exact, case.options).run()
    cash, swap, fees = Decimal(repr(case.options.get("cash", 100_000.0))), Decimal(0), Decimal(0)
    for fill in result.fill_records:
        price, lots, fee, paid = (Decimal(repr(float(fill[name]))) for name in ("price", "quantity", "fee", "swap"))
        assert (price % Decimal("0.01"), lots % Decimal("0.1")) == (0, 0)
        cash -= price * lots * 5 + fee + (paid - swap)
        swap, fees = paid, fees + fee
        assert cash == Decimal(repr(float(fill["cash"])))
    assert fees == Decimal(repr(float(result.metrics["fees_paid"])))


@SEVERAL
@MANY
@given(seed=SEEDS)
def test_prices_are_whole_ticks_and_positions_whole_lots(channels: int, seed: int) -> None:
    case = random_case(seed, channels)
    result = case.run()
    for names, step in ((("price",), case.instrument.tick_size), (("quantity", "position"), case.instrument.lot_step)):
        for name in names if step else ():
            values = result.fill_records[name]
            assert (values == np.rint(values / step) / round(1 / step)).all()
    assert (result.fill_records["quantity"] != 0).all()


@SEVERAL
@MANY
@given(seed=SEEDS)
def test_fills_of_a_bar_stay_within_the_volume_cap(channels: int, seed: int) -> None:
    case = random_case(seed, channels)
    result = case.run(volume_cap=0.1)
    for i, bars in enumerate(result.bars):
        rows = np.searchsorted(result.time, bars.time + bars.interval)
        mine = result.fill_records[
            (result.fill_records["channel"] == i) & (result.fill_records["reason"] != MARGIN_CALL)
        ]
        filled = np.bincount(mine["bar"], np.abs(mine["quantity"]), minlength=result.equity.size)[rows]
        assert (filled * case.instrument.contract_size <= 0.1 * bars.volume * (1 + 1e-9)).all()
        assert np.isin(mine["bar"], rows).all()


@MANY
@given(seed=SEEDS)
def test_margin_is_there_after_every_fill_that_opens(seed: int) -> None:
    case = random_case(seed)
    result = case.run(slippage_volume=0.0, accounting="netting")  # each ticket that is closed has a fee of its own
    rate = max(case.instrument.margin_rate, 1.0 / case.options.get("leverage", 1.0))
    before = 0.0
    for fill in result.fill_records:
        after, paid = fill["position"], fill["price"] * case.instrument.contract_size
        if abs(after) > abs(before) or after * before < 0:
            equity = fill["cash"] + after * paid
            assert abs(after) * paid * rate <= equity * (1 + 1e-8) + 1e-6
        before = after


@SEVERAL
@MANY
@given(seed=SEEDS)
def test_nothing_is_held_at_a_close_without_equity(channels: int, seed: int) -> None:
    case = random_case(seed, channels)
    result = case.run(fill="next-open")
    _, lots = held_at_closes(result, result.equity.size)
    assert (lots[result.equity <= 0] == 0).all()


@SEVERAL
@MANY
@given(seed=SEEDS, share=st.floats(0.1, 0.9))
def test_later_bars_change_nothing_before_them(channels: int, seed: int, share: float) -> None:
    case = random_case(seed, channels)
    rows = max(1, int(60 * share))
    until = case.bars[case.channels[0]]["time"][rows - 1]
    bars = {
        name: {key: column[each["time"] <= until] for key, column in each.items()} for name, each in case.bars.items()
    }
    if any(each["time"].size == 0 for each in bars.values()):
        return
    whole = case.run()
    part = Case(case.seed, bars, case.script, case.instrument, case.options).run()
    known = part.equity.size
    assert part.equity.tobytes() == whole.equity[:known].tobytes()
    same = whole.fill_records[whole.fill_records["bar"] < known]
    assert part.fill_records.tobytes() == same.tobytes()


@SEVERAL
@MANY
@given(seed=SEEDS)
def test_class_form_does_what_the_compiled_form_does(channels: int, seed: int) -> None:
    case = random_case(seed, channels)
    assert digest_of(case.run(instance=case.as_class())) == digest_of(case.run())


@SEVERAL
@examples(2)
@given(seed=SEEDS, chance=st.sampled_from([0.05, 0.5, 1.0]), ahead=st.sampled_from([1, 7, 64]))
def test_looking_at_the_portfolio_changes_nothing(channels: int, seed: int, chance: float, ahead: int) -> None:
    case = random_case(seed, channels)
    looks = set(np.flatnonzero(np.random.default_rng(seed).random(60) < chance).tolist())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classic, "_AHEAD", ahead)
        assert digest_of(case.run(instance=case.as_class(looks))) == digest_of(case.run())


@SEVERAL
@MANY
@given(seed=SEEDS)
def test_class_sees_what_it_has_after_the_fills_of_each_row(channels: int, seed: int) -> None:
    case = random_case(seed, channels)
    instance = case.as_class(range(60))
    result = case.run(instance=instance, fill="next-open", swap_long_pct=0.0, swap_short_pct=0.0)
    cash, lots = held_at_closes(result, result.equity.size)
    cash[np.isnan(cash)] = case.options.get("cash", 100_000.0)
    for row in range(result.equity.size):
        assert instance.seen[row] == (result.equity[row], cash[row], lots[row].tolist()), row


@SEVERAL
@MANY
@given(seed=SEEDS)
def test_class_form_makes_room_for_more_fills_and_more_targets(channels: int, seed: int) -> None:
    case = random_case(seed, channels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classic, "_FILLS", -16 * channels)
        patch.setattr(classic, "_SAID", 3)
        grown = case.run(instance=case.as_class({20, 21, 40}))
    assert digest_of(grown) == digest_of(case.run())


@MANY
@given(seed=SEEDS, rows=st.sampled_from([1, 2, 7, 30]))
def test_asking_the_strategy_in_parts_changes_nothing(seed: int, rows: int) -> None:
    case = random_case(seed)
    whole, weights = case.run(), fast_or_slow("sma_cross", seed, "events")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_ASKED", rows)
        assert digest_of(case.run()) == digest_of(whole)
        assert digest_of(fast_or_slow("sma_cross", seed, "events")) == digest_of(weights)


@pytest.mark.parametrize("name", ["sma_cross", "ema_cross", "random"])
@examples(1.2)
@given(seed=SEEDS)
def test_fast_path_gives_the_bits_of_the_event_loop(name: str, seed: int) -> None:
    auto, events = (fast_or_slow(name, seed, engine) for engine in ("auto", "events"))
    assert digest_of(auto) == digest_of(events)
    assert auto.notes == events.notes


def fast_or_slow(name: str, seed: int, engine: str) -> Result:
    """Return a run of a shipped strategy on random bars with random options."""
    rng = np.random.default_rng(seed)
    tick, step = ((0.01, 1.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.1), (0.01, 0.0))[rng.integers(5)]
    share = Instrument("V:X", asset_class="equity", tick_size=tick, lot_step=step, calendar="24x7")
    bars = random_bars(rng, int(rng.integers(1, 120)), tick, bool(rng.random() < 0.3))
    params: dict[str, Any] = {}
    if name.endswith("_cross"):
        fast = int(rng.integers(1, 6))
        params = {"fast": fast, "slow": fast + int(rng.integers(1, 9)), "side": str(rng.choice(["long", "both"]))}
    options = random_options(rng)
    for slow_only in ("rebalance", "volume_cap", "swap_long_pct", "swap_short_pct"):
        if rng.random() < 0.8:
            options.pop(slow_only, None)
    return run(name, bars, params=params, instruments=share, engine=engine, **options)


def test_more_fills_than_the_buffer_was_made_for_are_all_kept() -> None:
    close = np.tile([100.0, 101.0, 99.0], 540_000)
    bars = dict.fromkeys(("open", "high", "low", "close"), close)
    params = {"seed": 7, "hold": 1, "side": "both"}
    events, auto = (run("random", bars, params=params, interval="1m", engine=engine) for engine in ("events", "auto"))
    assert events.n_fills > 1_000_016
    assert events.fill_records.tobytes() == auto.fill_records.tobytes()
    assert events.equity.tobytes() == auto.equity.tobytes()
