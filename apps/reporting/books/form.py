"""What the files of an account look like: their columns, and how a line begins.

A line begins with its position, `record.event.row`, which rises along a file. The event 0 is the record's input.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from apps.reporting.written import Bytes
from banyan.columns import Ints
from banyan.spreadsheets import as_text

TRADEBOOK, ORDERBOOK = "tradebook", "orderbook"
COLUMNS: Mapping[str, tuple[str, ...]] = {
    TRADEBOOK: (
        "position", "time", "event", "instrument", "order", "lots", "price", "amount", "fee", "currency", "books",
        "execution",
    ),
    ORDERBOOK: ("position", "time", "event", "instrument", "order", "lots", "left", "set", "decided", "reason"),
}  # fmt: skip

Position = tuple[int, int, int]


class Owner(msgspec.Struct, frozen=True):
    """Whose an account number is."""

    account: str
    client: str
    currency: str


class Known(msgspec.Struct):
    """What lines need to know from earlier records of a shard: accounts by number, lot steps by instrument."""

    accounts: dict[int, Owner] = {}
    lot_steps_e9: dict[str, int] = {}


class Portion(NamedTuple):
    """Lines of one file, in the order of their positions (int64[lines, 3])."""

    owner: Owner
    file: str
    text: Bytes
    ends: Ints
    positions: Ints

    def after(self, last: Position) -> "Portion":
        """Return the lines beyond a position."""
        number, event, row = self.positions.T
        is_in_event = (event > last[1]) | ((event == last[1]) & (row > last[2]))
        is_new = (number > last[0]) | ((number == last[0]) & is_in_event)
        first = int(np.argmax(is_new)) if is_new.any() else self.ends.size
        begin = int(self.ends[first - 1]) if first else 0
        return Portion(self.owner, self.file, self.text[begin:], self.ends[first:] - begin, self.positions[first:])


def header(file: str) -> str:
    """Return the first line of a file."""
    return ",".join(COLUMNS[file]) + "\n"


def position_of(line: str, file: str) -> Position | None:
    """Return the position of a line, with its end, of a file; None where it is no whole line of one."""
    if not line.endswith("\n") or _fields(line) != len(COLUMNS[file]):
        return None
    numbers = line.partition(",")[0].split(".")
    if len(numbers) != 3 or not all(each.isascii() and each.isdigit() for each in numbers):
        return None
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def field_of(text: str) -> str:
    """Return a text as a field: on one line whatever is in it, no formula, quoted where it must be."""
    text = as_text(text)
    if text.isprintable() and "," not in text and '"' not in text:
        return text
    one_line = "".join(each if each.isprintable() else " " for each in text)
    return '"' + one_line.replace('"', '""') + '"'


def _fields(line: str) -> int:
    """Return how many fields a line has; commas within quotes are none of its own."""
    outside = line.split('"')[::2]
    return 1 + sum(part.count(",") for part in outside) if len(line.split('"')) % 2 else 0
