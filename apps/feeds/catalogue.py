"""The instruments that Banyan knows without a database."""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from trading.instruments import Instrument

_FILE = Path(__file__).with_name("catalogue.toml")


class InstrumentNotFound(LookupError):
    """There is no instrument of that id."""


@lru_cache(maxsize=1)
def shipped_instruments() -> dict[str, Instrument]:
    """Return the shipped instruments by id, in the order of `catalogue.toml`."""
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: Instrument(id=name, **fields) for name, fields in entries.items()}


def instrument_not_found(instrument_id: str, own: Sequence[str] = ()) -> InstrumentNotFound:
    """Return the error for an unknown instrument, which names the known ones and how to add one."""
    known = dict.fromkeys([*shipped_instruments(), *own])
    return InstrumentNotFound(
        f"there is no instrument {instrument_id!r}. Known: {', '.join(known)}. Add your own with "
        f"`manage.py add_instrument {instrument_id.upper()}`."
    )
