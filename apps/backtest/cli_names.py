"""What people call the metrics."""

# fmt: off
METRIC_LABELS = {
    "final_equity": "Final equity", "return_pct": "Return", "cagr_pct": "CAGR", "volatility_pct": "Volatility",
    "sharpe": "Sharpe", "sortino": "Sortino", "calmar": "Calmar", "omega": "Omega", "max_drawdown_pct": "Max drawdown",
    "max_drawdown_days": "Drawdown lasted", "var_95_pct": "VaR 95", "cvar_95_pct": "CVaR 95", "psr": "Prob. Sharpe > 0",
    "dsr": "Deflated Sharpe", "n_trades": "Trades", "n_fills": "Fills", "win_rate_pct": "Win rate",
    "profit_factor": "Profit factor", "expectancy": "Expectancy", "avg_trade_pct": "Average trade", "payoff": "Payoff",
    "sqn": "SQN", "exposure_pct": "In the market", "avg_exposure_pct": "Mean exposure", "turnover": "Turnover a year",
    "fees_paid": "Fees paid", "slippage_paid": "Slippage paid", "swap_paid": "Swap paid", "alpha": "Alpha a year",
    "beta": "Beta", "correlation": "Correlation", "information_ratio": "Information ratio",
    "benchmark_return_pct": "Benchmark", "engine_seconds": "Engine",
}

METRICS_SHOWN = (
    "final_equity", "return_pct", "cagr_pct", "volatility_pct", "max_drawdown_pct", "max_drawdown_days", "exposure_pct",
    "turnover", "fees_paid", "benchmark_return_pct", "alpha",
    "sharpe", "sortino", "calmar", "n_trades", "n_fills", "win_rate_pct", "profit_factor", "expectancy", "sqn", "beta",
    "dsr", "engine_seconds",
)

# Metrics of which less is better, for ranking.
LOWER_IS_BETTER = frozenset({
    "max_drawdown_pct", "max_drawdown_days", "volatility_pct", "var_95_pct", "cvar_95_pct", "fees_paid", "turnover",
    "longest_losing_run", "tracking_error_pct",
})
# fmt: on
