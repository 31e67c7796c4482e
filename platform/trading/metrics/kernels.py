"""The metrics of a curve of period values and of a list of round trips, as kernels that fill one row of floats.

Each kernel writes nan where a metric is not defined; the rule of every one is in `trading.metrics.definitions`. The
order of a row is that of the key tuples below, so a sweep keeps one matrix row per combination and ranks on a column.
"""

import math

import numpy as np
from numpy.typing import NDArray

from trading.compiled import kernel
from trading.metrics.sharpe import probabilistic_sharpe

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

# fmt: off
CURVE_KEYS = (
    "final_equity", "return_pct", "cagr_pct", "volatility_pct", "sharpe", "sortino", "calmar", "omega",
    "max_drawdown_pct", "max_drawdown_days", "var_95_pct", "cvar_95_pct", "skew", "kurtosis", "psr", "n_returns",
)
TRADE_KEYS = (
    "n_trades", "win_rate_pct", "profit_factor", "expectancy", "avg_trade_pct", "avg_win", "avg_loss", "payoff", "sqn",
    "longest_losing_run", "avg_bars_held",
)
BENCHMARK_KEYS = ("alpha", "beta", "correlation", "tracking_error_pct", "information_ratio", "benchmark_return_pct")
(
    FINAL_EQUITY, RETURN, CAGR, VOLATILITY, SHARPE, SORTINO, CALMAR, OMEGA,
    DRAWDOWN, DRAWDOWN_DAYS, VAR, CVAR, SKEW, KURTOSIS, PSR, N_RETURNS,
) = range(len(CURVE_KEYS))
(
    N_TRADES, WIN_RATE, PROFIT_FACTOR, EXPECTANCY, AVG_TRADE, AVG_WIN, AVG_LOSS, PAYOFF, SQN,
    LOSING_RUN, BARS_HELD,
) = range(len(TRADE_KEYS))
# fmt: on

NANOSECONDS_PER_DAY = 86_400_000_000_000.0
DAYS_PER_YEAR = 365.25
TAIL = 0.05
ROUNDING = 1e-14  # values that differ by less, relative to their size, differ only by rounding


@kernel
def curve_metrics(values: Floats, time: Times, periods_per_year: float, risk_free: float, out: Floats) -> None:
    """Write the metrics of a curve of period values into `out`, float64[16], in the order of CURVE_KEYS.

    `values` is float64[m]: the starting cash, then equity at the close of each period. `time` is int64[m], ns UTC: the
    moment of each value, the first one being the open of the first bar. `periods_per_year` annualises; `risk_free` is
    a yearly rate as a fraction. Formulas, sources and nan rules: `trading.metrics.definitions`.
    """
    out[:] = np.nan
    out[N_RETURNS] = 0.0
    if values.size == 0:
        return
    out[FINAL_EQUITY] = values[-1]
    if not values[0] > 0.0:
        return
    _write_growth(values, time, out)
    _write_drawdown(values, time, out)
    returns = np.empty(values.size)
    returns = returns[: write_returns(values, returns)]
    out[N_RETURNS] = returns.size
    if returns.size > 0:
        _write_ratios(returns, periods_per_year, period_rate(risk_free, periods_per_year), out)
        _write_tail(returns, out)


@kernel
def trade_metrics(pnl: Floats, returns: Floats, bars_held: Floats, out: Floats) -> None:
    """Write the metrics of k closed round trips into `out`, float64[11], in the order of TRADE_KEYS.

    `pnl` (account currency, net of fees), `returns` (fractions) and `bars_held` (int64 or float64) have length k and
    are in the order in which the trades closed.
    """
    out[:] = np.nan
    n = pnl.size
    out[N_TRADES] = n
    if n == 0:
        return
    wins = losses = 0
    won = lost = returned = held = 0.0
    run = longest = 0
    for i in range(n):
        returned += returns[i]
        held += bars_held[i]
        if pnl[i] > 0.0:
            wins += 1
            won += pnl[i]
        elif pnl[i] < 0.0:
            losses += 1
            lost += pnl[i]
        run = run + 1 if pnl[i] < 0.0 else 0
        longest = max(longest, run)
    out[WIN_RATE] = 100.0 * wins / n
    out[EXPECTANCY] = (won + lost) / n
    out[AVG_TRADE] = 100.0 * returned / n
    out[LOSING_RUN] = longest
    out[BARS_HELD] = held / n
    if wins > 0:
        out[AVG_WIN] = won / wins
    if losses > 0:
        out[AVG_LOSS] = lost / losses
        out[PROFIT_FACTOR] = won / -lost
    if wins > 0 and losses > 0:
        out[PAYOFF] = out[AVG_WIN] / -out[AVG_LOSS]
    deviation = standard_deviation(pnl)
    if deviation > 0.0:
        out[SQN] = math.sqrt(n) * out[EXPECTANCY] / deviation


@kernel
def benchmark_metrics(
    values: Floats, benchmark: Floats, periods_per_year: float, risk_free: float, out: Floats
) -> None:
    """Write the metrics of a curve against a benchmark into `out`, float64[6], in the order of BENCHMARK_KEYS.

    `values` and `benchmark` are float64[m], worth at the same moments, the first of each being its start.
    """
    out[:] = np.nan
    if values.size < 2 or not values[0] > 0.0 or not benchmark[0] > 0.0:
        return
    out[5] = 100.0 * (benchmark[-1] / benchmark[0] - 1.0)
    ours, theirs = np.empty(values.size), np.empty(values.size)
    n = min(write_returns(values, ours), write_returns(benchmark, theirs))
    if n < 2:
        return
    ours, theirs = ours[:n], theirs[:n]
    active = ours - theirs
    our_deviation, their_deviation = standard_deviation(ours), standard_deviation(theirs)
    our_mean, their_mean = mean(ours), mean(theirs)
    if their_deviation > 0.0:
        covariance = 0.0
        for i in range(n):
            covariance += (ours[i] - our_mean) * (theirs[i] - their_mean)
        covariance /= n - 1
        beta = covariance / (their_deviation * their_deviation)
        rate = period_rate(risk_free, periods_per_year)
        alpha = (our_mean - rate) - beta * (their_mean - rate)
        out[0] = (1.0 + alpha) ** periods_per_year - 1.0
        out[1] = beta
        if our_deviation > 0.0:
            out[2] = min(1.0, max(-1.0, covariance / (our_deviation * their_deviation)))
    deviation = standard_deviation(active)
    out[3] = 100.0 * deviation * math.sqrt(periods_per_year)
    if deviation > 0.0:
        out[4] = mean(active) / deviation * math.sqrt(periods_per_year)


@kernel
def turnover(traded_notional: float, values: Floats, time: Times) -> float:
    """Return how many times a year the mean equity was turned over, one way: half of what was bought and sold.

    `traded_notional` is the sum over all fills of |quantity x price|, account currency; `values` and `time` as in
    `curve_metrics`. nan without elapsed time or with a mean equity that is not positive.
    """
    if values.size < 2:
        return np.nan
    years: float = elapsed_years(time)
    equity: float = mean(values)
    if years <= 0.0 or not equity > 0.0:
        return np.nan
    return traded_notional / 2.0 / equity / years


@kernel
def write_drawdowns(values: Floats, out: Floats) -> None:
    """Write the fall of each value from the highest one so far, as a fraction <= 0 of it, into float64[m]."""
    peak = -np.inf
    for i in range(values.size):
        peak = max(peak, values[i])
        out[i] = values[i] / peak - 1.0 if peak > 0.0 else np.nan


@kernel
def write_rolling_sharpe(returns: Floats, window: int, periods_per_year: float, risk_free: float, out: Floats) -> None:
    """Write the Sharpe ratio of the last `window` of the returns up to each value into float64[m], nan before."""
    out[:] = np.nan
    rate = period_rate(risk_free, periods_per_year)
    for i in range(window, returns.size + 1):
        part = returns[i - window : i]
        deviation = standard_deviation(part)
        if deviation > 0.0:
            out[i] = (mean(part) - rate) / deviation * math.sqrt(periods_per_year)


@kernel
def write_returns(values: Floats, out: Floats) -> int:
    """Write v[i] / v[i-1] - 1 for the m values of a curve into `out`, up to the first that is <= 0; return how many."""
    n = 0
    for i in range(1, values.size):
        if values[i - 1] <= 0.0:
            break
        out[n] = values[i] / values[i - 1] - 1.0
        n += 1
    return n


@kernel
def mean(x: Floats) -> float:
    """Return the arithmetic mean of float64[n], n > 0, summed in order."""
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total / x.size


@kernel
def standard_deviation(x: Floats) -> float:
    """Return the sample standard deviation (ddof 1) of float64[n]; exactly 0 where all differ by rounding only.

    nan for n < 2. Without the rule a curve that grows evenly has a deviation of 1e-17 and a Sharpe ratio of 1e16.
    """
    if x.size < 2:
        return np.nan
    average = mean(x)
    total = 0.0
    low = high = x[0]
    for i in range(x.size):
        distance = x[i] - average
        total += distance * distance
        low = min(low, x[i])
        high = max(high, x[i])
    if high - low <= ROUNDING * (1.0 + max(abs(low), abs(high))):
        return 0.0
    return math.sqrt(total / (x.size - 1))


@kernel
def period_rate(yearly: float, periods_per_year: float) -> float:
    """Return the rate of one period that compounds to `yearly` (a fraction) over a year."""
    growth: float = (1.0 + yearly) ** (1.0 / periods_per_year)
    return growth - 1.0


@kernel
def elapsed_years(time: Times) -> float:
    """Return the years of 365.25 days between the first and the last of `time` (int64, ns UTC)."""
    years: float = (time[-1] - time[0]) / (DAYS_PER_YEAR * NANOSECONDS_PER_DAY)
    return years


@kernel
def _write_growth(values: Floats, time: Times, out: Floats) -> None:
    growth = values[-1] / values[0]
    out[RETURN] = 100.0 * (growth - 1.0)
    years = elapsed_years(time)
    if years > 0.0:
        out[CAGR] = 100.0 * (growth ** (1.0 / years) - 1.0) if growth > 0.0 else -100.0


@kernel
def _write_drawdown(values: Floats, time: Times, out: Floats) -> None:
    peak, since = values[0], time[0]
    deepest = 0.0
    longest = 0
    for i in range(1, values.size):
        if values[i] >= peak:
            if values[i - 1] < peak:
                longest = max(longest, time[i] - since)
            peak, since = values[i], time[i]
        else:
            deepest = max(deepest, 1.0 - values[i] / peak)
    if values[-1] < peak:
        longest = max(longest, time[-1] - since)
    out[DRAWDOWN] = 100.0 * deepest
    out[DRAWDOWN_DAYS] = longest / NANOSECONDS_PER_DAY
    if deepest > 0.0:
        out[CALMAR] = out[CAGR] / out[DRAWDOWN]


@kernel
def _write_tail(returns: Floats, out: Floats) -> None:
    """Write VaR and CVaR; the order of `returns` is lost."""
    position = TAIL * (returns.size - 1)
    k = int(position)
    _partition(returns, k)
    lowest = 0.0
    for i in range(k + 1):
        lowest += returns[i]
    above = returns[k] if k + 1 == returns.size else np.inf
    for i in range(k + 1, returns.size):
        above = min(above, returns[i])
    out[VAR] = 0.0 - 100.0 * (returns[k] + (position - k) * (above - returns[k]))
    out[CVAR] = 0.0 - 100.0 * lowest / (k + 1)


@kernel
def _partition(x: Floats, k: int) -> None:
    """Reorder x so that x[k] is what sorting would put there, with nothing above it before and nothing below it after.

    Hoare, "Algorithm 65: Find" (1961). np.partition does the same, but takes seconds to compile.
    """
    low, high = 0, x.size - 1
    while low < high:
        pivot = x[k]
        i, j = low, high
        while i <= j:
            while x[i] < pivot:
                i += 1
            while pivot < x[j]:
                j -= 1
            if i <= j:
                x[i], x[j] = x[j], x[i]
                i += 1
                j -= 1
        if j < k:
            low = i
        if k < i:
            high = j


@kernel
def _write_ratios(returns: Floats, periods_per_year: float, rate: float, out: Floats) -> None:
    n = returns.size
    average = mean(returns)
    gains = losses = downside = third = fourth = second = 0.0
    for i in range(n):
        excess = returns[i] - rate
        if excess > 0.0:
            gains += excess
        else:
            losses -= excess
            downside += excess * excess
        distance = returns[i] - average
        square = distance * distance
        second += square
        third += square * distance
        fourth += square * square
    root = math.sqrt(periods_per_year)
    if downside > 0.0:
        out[SORTINO] = (average - rate) / math.sqrt(downside / n) * root
        out[OMEGA] = gains / losses
    deviation = standard_deviation(returns)
    out[VOLATILITY] = 100.0 * deviation * root
    if deviation > 0.0:
        second /= n
        out[SKEW] = third / n / (second * math.sqrt(second))
        out[KURTOSIS] = fourth / n / (second * second) - 3.0
        out[SHARPE] = (average - rate) / deviation * root
        out[PSR] = probabilistic_sharpe((average - rate) / deviation, 0.0, out[SKEW], out[KURTOSIS], n)
