"""The instruments that Banyan knows without a database."""

import tomllib
from functools import lru_cache
from pathlib import Path

from trading.instruments import Instrument

_FILE = Path(__file__).with_name("catalogue.toml")


@lru_cache(maxsize=1)
def shipped_instruments() -> dict[str, Instrument]:
    """Return the shipped instruments by id, in the order of `catalogue.toml`."""
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {id: Instrument(id=id, **fields) for id, fields in entries.items()}
