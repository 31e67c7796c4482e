"""Pieces of what has come: rows read once for all who are at the same place, of which each takes what is theirs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson

from apps.api.families import Family
from apps.api.rows import told
from apps.api.tenancy import Whose
from apps.reporting import interface as reporting
from apps.reporting.interface import Place

Places = Mapping[str, Place]
_BEGIN: Place = (0,)


class Item(NamedTuple):
    """A row that came: where, whose, what it is about, and how it is told."""

    log: str
    place: Place
    client: str
    account: str
    set: str
    instruments: Sequence[str]
    data: bytes


class Piece:
    """Rows up to places, those of `clients`; "" among them: of all."""

    def __init__(self, items: Sequence[Item], high: Places, clients: Collection[str]) -> None:
        self.high = high
        self._clients = clients
        self._items = items
        self._of_accounts: dict[str, list[Item]] = {}
        self._of_clients: dict[str, list[Item]] = {}
        for item in items:
            self._of_accounts.setdefault(item.account, []).append(item)
            self._of_clients.setdefault(item.client, []).append(item)

    def has_all_of(self, client: str) -> bool:
        """Tell whether it was read for a client too, or ("") for the firm."""
        return "" in self._clients or client in self._clients

    def within(self, scope: Whose) -> Iterator[Item]:
        """Yield the items within a scope."""
        found = self._items
        if scope.account:
            found = self._of_accounts.get(scope.account, [])
        elif scope.client:
            found = self._of_clients.get(scope.client, [])
        for item in found:
            is_theirs = scope.client in ("", item.client) and scope.set in ("", item.set)
            if is_theirs and (not scope.instrument or scope.instrument in item.instruments):
                yield item


class Reader:
    """Reads pieces of a family. It remembers whose accounts are: that never changes."""

    def __init__(self, of: Family) -> None:
        self._of = of
        self._clients: dict[str, str] = {}

    def piece(self, scope: Whose, after: Places, upto: Places, clients: Collection[str], most: int) -> Piece:
        """Return the next rows within a scope, which is that of `clients`; at most `most` are looked at.

        Of rows that are the same thing only the last is told.
        """
        of = self._of
        found = of.onward(scope, after, upto, most)
        last = found
        if of.thing is not None:
            newest = {of.thing(each[-1]): at for at, each in enumerate(found)}
            last = [found[at] for at in sorted(newest.values())]
        rows = told(of.row, of.told([row for *_, row in last]))
        about = [of.about(row) for *_, row in last]
        self._learn_clients({each.account for each in about})
        items = [
            Item(log, place, self._clients.get(each.account, ""), *each, orjson.dumps(row))
            for (log, place, _), each, row in zip(last, about, rows, strict=True)
        ]
        reached = {**after, **{log: place for log, place, _ in found}}
        return Piece(items, reached if len(found) == most else self.ahead(reached, upto), clients)

    def lacks(self, places: Places, others: Places) -> bool:
        """Tell whether there is a log of which others are further on."""
        return any(self._of.is_later(place, places.get(log, _BEGIN)) for log, place in others.items())

    def ahead(self, places: Places, others: Places) -> Places:
        """Return of each log the place that is further on."""
        if places == others:
            return others
        further = {log: place for log, place in others.items() if self._of.is_later(place, places.get(log))}
        return {**places, **further}

    def _learn_clients(self, accounts: set[str]) -> None:
        unknown = accounts - {""} - self._clients.keys()
        if unknown:
            self._clients |= reporting.clients_of(sorted(unknown))
