"""What a shard knows of orders that are apart from the netted ones: entries that work, and what protects books."""

from dataclasses import dataclass, field

import msgspec

Key = tuple[int, int]
"""(cell, decision)."""


class Bracket(msgspec.Struct, frozen=True):
    """Stop loss, take profit and the distance of a trailing stop, in ticks; 0: none."""

    stop_loss_ticks: int
    take_profit_ticks: int
    trail_ticks: int


class Entry(msgspec.Struct, frozen=True):
    """An entry of a line's own; `is_replaced` once a newer version of its target has cancelled it.

    One that a person has placed is not tagged: it is the book's own, and no position of its own at the broker, but on a
    hedging account, where each is of a ticket, which it opens, adds to or closes.
    """

    line: int
    order_type: int
    limit_ticks: int
    stop_ticks: int
    time_in_force: int
    expires_ns: int
    bracket: Bracket | None
    is_replaced: bool = False
    is_tagged: bool = True
    ticket: int = 0


class Guard(msgspec.Struct, frozen=True):
    """A protective order that was released for a line."""

    line: int
    steps: int
    filled: int
    bracket: Bracket
    ticket: int = 0


class Ticket(msgspec.Struct, frozen=True):
    """A position of its own at the broker of a hedging account, known by the decision number that opened it."""

    steps: int
    price: float
    """Average, of what it holds."""


@dataclass(slots=True)
class Apart:
    """By (cell, decision). `lines` are those that follow a target that is traded apart, or still have such orders.

    `due` are those whose last version could not move its bracket yet, because something was on its way.

    Of hedging accounts: `tickets` by line and number, `opened` the (version, ticket) that a line has opened last, and
    `ended` the (line, ticket) of orders whose fills may come late.
    """

    entries: dict[Key, Entry] = field(default_factory=dict)
    guards: dict[Key, Guard] = field(default_factory=dict)
    lines: set[int] = field(default_factory=set)
    due: set[int] = field(default_factory=set)
    tickets: dict[int, dict[int, Ticket]] = field(default_factory=dict)
    opened: dict[int, tuple[int, int]] = field(default_factory=dict)
    ended: dict[Key, tuple[int, int]] = field(default_factory=dict)

    def copy(self) -> "Apart":
        """Return a copy of its own."""
        tickets = {line: dict(each) for line, each in self.tickets.items()}
        return Apart(
            dict(self.entries), dict(self.guards), set(self.lines), set(self.due), tickets, dict(self.opened),
            dict(self.ended),
        )  # fmt: skip

    def busy_lines(self) -> set[int]:
        """Return the lines with an entry or a protective order."""
        return {each.line for each in self.entries.values()} | {each.line for each in self.guards.values()}

    def leaves_with_entry(self, guard: Key) -> bool:
        """Tell whether a protective order is the one that an open entry brought: the number after it is kept for it."""
        entry = self.entries.get((guard[0], guard[1] - 1))
        return entry is not None and entry.bracket is not None

    def drop_waiting(self, line: int) -> None:
        """Let no version of a line wait any more for an entry to end."""
        for key, entry in self.entries.items():
            if entry.line == line and entry.is_replaced:
                self.entries[key] = msgspec.structs.replace(entry, is_replaced=False)

    def guards_of(self, line: int, ticket: int | None = None) -> list[Key]:
        """Return what protects a line, or one ticket of it, or waits to."""
        return [key for key, each in self.guards.items() if each.line == line and ticket in (None, each.ticket)]


class ApartSnapshot(msgspec.Struct, frozen=True):
    """`Apart` as it is written."""

    entries: list[tuple[Key, Entry]] = []
    guards: list[tuple[Key, Guard]] = []
    lines: list[int] = []
    due: list[int] = []
    tickets: list[tuple[int, list[tuple[int, Ticket]]]] = []
    opened: list[tuple[int, tuple[int, int]]] = []
    ended: list[tuple[Key, tuple[int, int]]] = []


def written(apart: Apart) -> ApartSnapshot:
    """Return what `read` takes."""
    return ApartSnapshot(
        list(apart.entries.items()), list(apart.guards.items()), sorted(apart.lines), sorted(apart.due),
        [(line, sorted(each.items())) for line, each in sorted(apart.tickets.items())],
        sorted(apart.opened.items()), list(apart.ended.items()),
    )  # fmt: skip


def read(snapshot: ApartSnapshot) -> Apart:
    """Return what `written` was given."""
    return Apart(
        dict(snapshot.entries), dict(snapshot.guards), set(snapshot.lines), set(snapshot.due),
        {line: dict(each) for line, each in snapshot.tickets}, dict(snapshot.opened), dict(snapshot.ended),
    )  # fmt: skip
