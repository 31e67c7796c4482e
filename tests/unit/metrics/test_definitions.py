"""The definitions cover every metric, can be stored, and do not change without a new version."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from trading.intervals import DAY, HOUR, MINUTE, WEEK
from trading.metrics import (
    BENCHMARK_KEYS,
    CURVE_KEYS,
    METRICS_VERSION,
    TRADE_KEYS,
    Basis,
    as_dict,
    benchmark_metrics,
    definitions,
    periods_per_year,
)
from trading.metrics.definitions import CalendarError

SNAPSHOT = Path(__file__).parent / "definitions.json"
DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"

IN_THE_ISSUE = (
    "final_equity", "return_pct", "cagr_pct", "volatility_pct", "sharpe", "sortino", "calmar", "omega",
    "max_drawdown_pct", "max_drawdown_days", "var_95_pct", "cvar_95_pct", "n_fills", "n_trades", "win_rate_pct",
    "profit_factor", "expectancy", "sqn", "exposure_pct", "turnover", "fees_paid", "alpha", "beta", "psr", "dsr",
)  # fmt: skip


def measured(measure, measure_trades):
    """Every kernel on fixed numbers, so that a formula cannot change under an unchanged text."""
    rng = np.random.default_rng(20_140_502)
    returns = rng.normal(0.0005, 0.01, 300)
    values = 100_000 * np.cumprod(1 + np.concatenate(([0.0], returns)))
    market = 50 * np.cumprod(1 + np.concatenate(([0.0], 0.5 * returns + rng.normal(0, 0.005, 300))))
    against = np.empty(len(BENCHMARK_KEYS))
    benchmark_metrics(values, market, 252.0, 0.02, against)
    pnl = rng.normal(10, 100, 40)
    found = measure(values, risk_free=0.02) | measure_trades(pnl, pnl / 1000, np.arange(40) % 7)
    return found | dict(zip(BENCHMARK_KEYS, against.tolist(), strict=True))


def test_every_metric_is_defined():
    defined = set(definitions()["metrics"])
    assert defined >= {*CURVE_KEYS, *TRADE_KEYS, *BENCHMARK_KEYS, *IN_THE_ISSUE}


def test_every_definition_says_what_a_reader_needs():
    for key, definition in definitions()["metrics"].items():
        assert definition["key"] == key
        assert definition["label"]
        assert definition["formula"]
        assert definition["undefined"]
        assert definition["better"] in ("higher", "lower", "neither")
        assert ("std" in definition["formula"] or "cov" in definition["formula"]) <= (definition["ddof"] is not None), (
            key
        )
        assert ("√p" in definition["formula"] and key not in ("psr", "dsr")) == (definition["annualised"] == "√p"), key


def test_definitions_can_be_stored():
    basis = Basis("daily", 365.0, 0.02, "24x7", "UTC", 0)
    stored = json.loads(json.dumps(definitions(basis), allow_nan=False))
    assert stored == definitions(basis)
    assert stored["basis"]["periods_per_year"] == 365


def test_formulas_do_not_change_without_a_new_version(measure, measure_trades):
    now = definitions() | {"values": measured(measure, measure_trades)}
    stored = json.loads(SNAPSHOT.read_text()) if SNAPSHOT.exists() else {"version": ""}
    if stored["version"] != METRICS_VERSION and os.environ.get("UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n")
        return
    assert stored["version"] == METRICS_VERSION, "a new version: run this test once with UPDATE_SNAPSHOT=1 and commit"
    values = now.pop("values")
    assert stored.pop("values") == pytest.approx(values, rel=1e-11), (
        "a kernel gives other values: raise METRICS_VERSION"
    )
    assert stored == now, "a definition has changed: raise METRICS_VERSION"


def test_document_has_every_definition():
    text = DOCUMENT.read_text()
    assert f"Version {METRICS_VERSION}" in text
    for key, definition in definitions()["metrics"].items():
        assert f"`{key}`" in text, key
        assert definition["formula"].replace("|", "\\|") in text, f"{key}: its formula is another in {DOCUMENT.name}"


def test_what_is_not_a_number_is_null_in_json():
    found = as_dict(("sharpe", "cagr_pct", "n_returns", "omega"), (math.nan, math.inf, 3.0, np.float64(1.5)))
    assert found == {"sharpe": None, "cagr_pct": None, "n_returns": 3, "omega": 1.5}
    assert json.dumps(found, allow_nan=False) == '{"sharpe": null, "cagr_pct": null, "n_returns": 3, "omega": 1.5}'


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        as_dict(("sharpe", "psr"), (1.0,))


@pytest.mark.parametrize(
    ("calendar", "interval", "returns", "expected"),
    [
        ("XNYS", DAY, "daily", 252),
        ("24x5", HOUR, "daily", 260),
        ("24x7", MINUTE, "daily", 365),
        ("24x7", MINUTE, "bar", 365 * 1440),
        ("24x7", DAY, "bar", 365),
        ("24x5", HOUR, "bar", 260 * 24),
        ("weekdays", DAY, "daily", 252),
        ("XNYS", MINUTE, "bar", 252 * 390),
        ("XNYS", HOUR, "bar", 252 * 7),
        ("XNYS", DAY, "bar", 252),
        ("an unknown one", DAY, "bar", 252),
        ("an unknown one", 0, "daily", 252),
        ("XNYS", WEEK, "daily", 365.25 / 7),
        ("24x7", WEEK, "bar", 365.25 / 7),
    ],
)
def test_periods_in_a_year_follow_calendar_and_interval(calendar, interval, returns, expected):
    assert periods_per_year(calendar, interval, returns) == pytest.approx(expected)


@pytest.mark.parametrize(("interval", "returns", "expected"), [(HOUR, "daily", 312), (HOUR, "bar", 260 * 24)])
def test_a_week_of_six_days_has_more_days_and_not_more_hours(interval, returns, expected):
    assert periods_per_year("24x5", interval, returns, week=6) == expected
    assert periods_per_year("XNYS", DAY, "daily", week=6) == 252


def test_bars_of_an_unknown_calendar_are_not_annualised():
    with pytest.raises(CalendarError, match="'XXXX'.*daily closes"):
        periods_per_year("XXXX", HOUR, "bar")


def test_bars_of_an_unknown_interval_are_not_annualised():
    with pytest.raises(CalendarError, match="interval"):
        periods_per_year("24x7", 0, "bar")
