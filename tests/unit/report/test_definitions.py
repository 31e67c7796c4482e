import math

import pytest

from apps.backtest.report.definitions import explain, grouped
from trading.metrics.definitions import DEFINITIONS


def test_every_metric_of_this_version_has_a_heading_of_its_own():
    headings = [heading for heading, _ in grouped(DEFINITIONS, {})]
    assert "Other" not in headings
    assert sum(len(rows) for _, rows in grouped(DEFINITIONS, {})) == len(DEFINITIONS)


def test_unknown_metric_is_shown_under_other_by_its_name():
    (heading, (metric,)) = grouped(["my_edge_pct"], {})[0]
    assert (heading, metric.label, metric.write(1.5)) == ("Other", "my edge pct", "1.50\u202f%")


def test_definitions_stored_with_the_run_win():
    stored = {"sharpe": {"label": "Old Sharpe", "unit": "ratio", "formula": "old", "decimals": 4, "undefined": "never"}}
    metric = explain("sharpe", stored)
    assert (metric.label, metric.formula, metric.write(1.0)) == ("Old Sharpe", "old", "1.0000")


@pytest.mark.parametrize(
    ("key", "value", "text", "tone"),
    [
        ("return_pct", 12.0, "+12.00\u202f%", "gain"),
        ("return_pct", -12.0, "\u221212.00\u202f%", "loss"),
        ("return_pct", 0.0, "0.00\u202f%", None),
        ("max_drawdown_pct", 20.0, "\u221220.00\u202f%", "loss"),
        ("win_rate_pct", 55.0, "55.00\u202f%", None),
        ("n_trades", 12345, "12\u202f345", None),
        ("max_drawdown_days", 1213.0, "1\u202f213\u202fdays", None),
        ("sharpe", None, "\u2013", None),
        ("sharpe", math.nan, "\u2013", None),
    ],
)
def test_value_is_written_with_its_unit_and_toned_only_where_its_sign_judges(key, value, text, tone):
    metric = explain(key, {})
    assert metric.write(value) == text
    assert metric.tone(value) == tone
