"""How much a Sharpe ratio is worth: its probabilistic and deflated forms, and the normal distribution they need.

Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier" (2012) and "The Deflated Sharpe Ratio" (2014).
"""

import math

import numpy as np
from numpy.typing import NDArray

from trading.compiled import kernel

Floats = NDArray[np.float64]

_EULER_GAMMA = 0.5772156649015329


@kernel
def probabilistic_sharpe(sharpe: float, benchmark: float, skew: float, kurtosis: float, n_returns: float) -> float:
    """Return the probability, 0…1, that the true Sharpe ratio exceeds `benchmark`.

    `sharpe` and `benchmark` are per period, not annualised; `kurtosis` is the excess over 3. The formula is
    Φ((S - S*) √(n - 1) / √(1 - skew S + (kurtosis + 2)/4 S²)). nan for n < 2 or a zero denominator.
    """
    variance = 1.0 - skew * sharpe + (kurtosis + 2.0) / 4.0 * sharpe * sharpe
    if n_returns < 2 or not variance > 0.0:
        return np.nan
    probability: float = normal_cdf((sharpe - benchmark) * math.sqrt(n_returns - 1.0) / math.sqrt(variance))
    return probability


@kernel
def expected_max_sharpe(trials: float, variance: float) -> float:
    """Return the best Sharpe ratio to be expected of `trials` tries without skill, in the unit of √`variance`.

    `variance` is that of the trials' Sharpe ratios. √V ((1 - g) Φ⁻¹(1 - 1/N) + g Φ⁻¹(1 - 1/(N e))), g Euler's constant.
    nan for fewer than two trials.
    """
    if not trials >= 2.0:
        return np.nan
    first: float = normal_quantile(1.0 - 1.0 / trials)
    second: float = normal_quantile(1.0 - math.exp(-1.0) / trials)
    return math.sqrt(variance) * ((1.0 - _EULER_GAMMA) * first + _EULER_GAMMA * second)


@kernel
def deflated_sharpe(
    sharpe: float,
    skew: float,
    kurtosis: float,
    n_returns: float,
    periods_per_year: float,
    trials: float,
    trials_variance: float,
) -> float:
    """Return the probability, 0…1, that a Sharpe ratio chosen as the best of `trials` is truly above zero.

    `sharpe` is annualised, and so are those whose variance (ddof 1) is `trials_variance`; `kurtosis` is the excess. It
    is the probabilistic Sharpe ratio against `expected_max_sharpe`. nan for fewer than two trials.
    """
    root = math.sqrt(periods_per_year)
    benchmark = expected_max_sharpe(trials, trials_variance) / root
    probability: float = probabilistic_sharpe(sharpe / root, benchmark, skew, kurtosis, n_returns)
    return probability


@kernel
def deflated_sharpes(
    sharpe: Floats, skew: Floats, kurtosis: Floats, n_returns: Floats, periods_per_year: float, out: Floats
) -> None:
    """Write the deflated Sharpe ratio of each of n trials into `out`, float64[n]: the columns of a whole sweep.

    The number of trials and the variance of their Sharpe ratios are those of the rows whose `sharpe` is finite.
    """
    trials = 0
    total = 0.0
    for i in range(sharpe.size):
        if np.isfinite(sharpe[i]):
            trials += 1
            total += sharpe[i]
    squares = 0.0
    for i in range(sharpe.size):
        if np.isfinite(sharpe[i]):
            distance = sharpe[i] - total / trials
            squares += distance * distance
    variance = squares / (trials - 1.0) if trials > 1 else np.nan
    for i in range(sharpe.size):
        out[i] = deflated_sharpe(sharpe[i], skew[i], kurtosis[i], n_returns[i], periods_per_year, trials, variance)


@kernel
def normal_cdf(x: float) -> float:
    """Return the standard normal distribution function at `x`."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


# fmt: off
_CENTRE = np.array([
    3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
    4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
    1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
    2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
])
_NEAR = np.array([
    1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
    1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
    1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
    1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
])
_FAR = np.array([
    6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
    2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
    1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
    7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
])
# fmt: on


@kernel
def normal_quantile(p: float) -> float:
    """Return the x at which the standard normal distribution function is `p`; ±inf at 1 and 0, nan outside.

    Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution" (1988), PPND16: 16 digits.
    """
    if not 0.0 <= p <= 1.0:
        return np.nan
    if p <= 0.0:
        return -np.inf
    if p >= 1.0:
        return np.inf
    q = p - 0.5
    if abs(q) <= 0.425:
        centre: float = q * _ratio(_CENTRE, 0.180625 - q * q)
        return centre
    r = math.sqrt(-math.log(min(p, 1.0 - p)))
    tail: float = _ratio(_NEAR, r - 1.6) if r <= 5.0 else _ratio(_FAR, r - 5.0)
    return tail if q > 0.0 else -tail


@kernel
def _ratio(coefficients: Floats, x: float) -> float:
    above, below = 0.0, 0.0
    for i in range(7, -1, -1):
        above = above * x + coefficients[i]
        below = below * x + coefficients[8 + i]
    return above / below
