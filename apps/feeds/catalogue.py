"""The instruments that Banyan knows without a database."""

import re
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
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
    asked = instrument_id.upper()
    same_symbol = [name for name in known if re.sub(r"\W", "", name.partition(":")[2]) == re.sub(r"\W", "", asked)]
    close = same_symbol or get_close_matches(asked, list(known), n=2, cutoff=0.8)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    new = asked if ":" in asked else f"VENUE:{asked}"
    return InstrumentNotFound(
        f"there is no instrument {instrument_id!r}.{meant} Known: {', '.join(known)}. Add your own with "
        f"`manage.py add_instrument {new}`."
    )
