"""Whose the accounts of a shard are, and how large lot steps: what its earlier records have told, at hand as arrays."""

from collections.abc import Iterable, Sequence

import numpy as np

from apps.execution.contracts import InstrumentTerms, order_pair
from apps.reporting.books.form import Known, Owner, field_of
from banyan.columns import Ints, ints

_INSTRUMENTS_MAX = 200
"""Of how many instruments the ids of orders are kept at a time."""


class Register:
    """What is `known` of a shard. Owners have rows, which stay; an account whose terms change gets another."""

    def __init__(self, known: Known | None = None) -> None:
        self.known = known if known is not None else Known({}, {})
        self.owners: list[Owner] = []
        self.currencies: list[bytes] = []
        self._row_of: dict[int, int] = {}
        self._numbers = self._rows = ints()
        self._currency: list[int] = []
        self._pairs: dict[str, Ints] = {}
        for number, owner in self.known.accounts.items():
            self._add(number, owner)

    def own(self, number: int, owner: Owner) -> bool:
        """Remember whose an account is; tell whether that is news."""
        if self.known.accounts.get(number) == owner:
            return False
        self.known.accounts[number] = owner
        self._add(number, owner)
        return True

    def learn(self, all_terms: Iterable[InstrumentTerms]) -> bool:
        """Remember how large lot steps are; tell whether that is news."""
        new = {each.id: each.lot_step_e9 for each in all_terms}
        is_news = any(self.known.lot_steps_e9.get(name) != lot_step for name, lot_step in new.items())
        self.known.lot_steps_e9.update(new)
        return is_news

    def rows(self, numbers: Ints) -> Ints:
        """Return the row of the owner of each account; one that nobody has opened is called by its number."""
        found = self._found(numbers)
        if found is None:
            for number in np.unique(numbers).tolist():
                if number not in self._row_of:
                    self._add(number, Owner(f"#{number}", "", ""))
            ordered = sorted(self._row_of.items())
            self._numbers, self._rows = ints([number for number, _ in ordered]), ints([row for _, row in ordered])
            found = self._found(numbers)
            assert found is not None
        return found

    def pairs(self, owners: Ints, names: Sequence[str], index: Ints) -> Ints:
        """Return the first 16 digits of the ids of orders of owners in instruments `names[index]`, as 64 bits."""
        if len(names) == 1:
            return self._pairs_of(names[0])[owners]
        found = np.zeros(owners.size, np.int64)
        for at in np.unique(index).tolist():
            chosen = index == at
            found[chosen] = self._pairs_of(names[at])[owners[chosen]]
        return found

    def currency(self, owners: Ints) -> Ints:
        """Return which of `currencies` those of owners are."""
        return ints(self._currency)[owners]

    def lot_steps(self, names: Sequence[str], index: Ints) -> Ints:
        """Return the lot steps of instruments in billionths, 0 where nobody has said."""
        return ints([self.known.lot_steps_e9.get(name, 0) for name in names])[index]

    def _found(self, numbers: Ints) -> Ints | None:
        if not self._numbers.size:
            return None
        at = np.minimum(np.searchsorted(self._numbers, numbers), self._numbers.size - 1)
        return self._rows[at] if (self._numbers[at] == numbers).all() else None

    def _add(self, number: int, owner: Owner) -> None:
        self._row_of[number] = len(self.owners)
        self._numbers = ints()
        self.owners.append(owner)
        currency = field_of(owner.currency).encode()
        if currency not in self.currencies:
            self.currencies.append(currency)
        self._currency.append(self.currencies.index(currency))

    def _pairs_of(self, name: str) -> Ints:
        known = self._pairs.get(name, ints())
        if known.size < len(self.owners):
            if len(self._pairs) >= _INSTRUMENTS_MAX:
                self._pairs.clear()
            more = np.array([order_pair(each.account, name) for each in self.owners[known.size :]], np.uint64)
            known = self._pairs[name] = np.concatenate([known, more.view(np.int64)])
        return known
