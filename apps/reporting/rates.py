"""What currencies are worth in each other: by the closes of those instruments that are pairs of them."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from trading.instruments import base_currency

Closes = Mapping[str, Sequence[tuple[date, int, int]]]
"""(day, bid, ask) by instrument, oldest day first; in whole ticks."""


class Rate(NamedTuple):
    """So many whole units for so many: a rate without rounding."""

    top: int
    bottom: int


PAR = Rate(1, 1)


class Rates:
    """Rates between currencies by day. `quoted_in` is (currency, tick in billionths) by instrument."""

    def __init__(self, quoted_in: Mapping[str, tuple[str, int]], closes: Closes) -> None:
        self._rates: dict[tuple[str, str], tuple[list[date], list[Rate]]] = {}
        for name, (currency, tick_e9) in sorted(quoted_in.items()):
            base = base_currency(name, currency)
            if base and (base, currency) not in self._rates and closes.get(name):
                days = [day for day, _, _ in closes[name]]
                prices = [(bid + ask) * tick_e9 for _, bid, ask in closes[name]]
                self._rates[base, currency] = days, [Rate(price, 2 * 10**9) for price in prices]
                self._rates[currency, base] = days, [Rate(2 * 10**9, price) for price in prices]

    def of(self, theirs: str, ours: str, day: date | None = None, *, via: str = "") -> Rate | None:
        """Return what a unit of one currency was worth in another on a day, or is now; None: nobody knows.

        Where no pair is of both, it is what it was worth over a third currency, if one is given.
        """
        rate = self._of_pair(theirs, ours, day)
        if rate is not None or not via:
            return rate
        there, back = self._of_pair(theirs, via, day), self._of_pair(via, ours, day)
        return Rate(there.top * back.top, there.bottom * back.bottom) if there and back else None

    def _of_pair(self, theirs: str, ours: str, day: date | None) -> Rate | None:
        if theirs == ours:
            return PAR
        days, rates = self._rates.get((theirs, ours), ([], []))
        at = len(days) if day is None else bisect_right(days, day)
        return rates[at - 1] if at else None
