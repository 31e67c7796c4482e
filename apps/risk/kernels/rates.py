"""Orders in the last second and the last minute, in memory that does not grow.

A window of event time is counted in buckets of a tenth of it. All buckets that the window touches count, so that a
bound holds for every window wherever it begins; an order counts for one to one and a tenth of its length.
"""

from typing import Any

from apps.risk.kernels.records import BUCKETS
from trading.compiled import inner_kernel


@inner_kernel
def count_in_window(rates: Any, first: int, bucket: int) -> int:
    """Return how many orders were counted in the window of `rates`, whose fields begin at `first`, up to `bucket`."""
    newest = rates[first]
    oldest = max(bucket, newest) - BUCKETS
    count = 0
    for each in range(max(oldest, newest - BUCKETS) + 1, newest + 1):
        count += rates[first + 1 + each % BUCKETS]
    return count


@inner_kernel
def count_order(rates: Any, first: int, bucket: int) -> None:
    """Count an order in `bucket`; one that is older than the newest counts as new, so that nothing is forgotten."""
    newest = rates[first]
    if bucket > newest:
        for each in range(max(newest, bucket - BUCKETS) + 1, bucket + 1):
            rates[first + 1 + each % BUCKETS] = 0
        rates[first] = bucket
    rates[first + 1 + rates[first] % BUCKETS] += 1
