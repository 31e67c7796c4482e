"""The real bars that strategies are checked on: the sample data, in as many channels as a strategy takes."""

from apps.feeds.interface import read_bars_file
from apps.signals.declaration import Strategy
from apps.signals.driving import Tape, tape_of
from trading.bars import Bars
from trading.compiled import ROOT

_FOLDER = ROOT / "apps/feeds/sample"
_DAILY = ("spy", "qqq", "aapl", "ibm", "bac", "iwm", "eem")
_NOT_SO_SHORT = 2000


def sample_tapes(strategy: Strategy, rows: int = _NOT_SO_SHORT) -> dict[str, Tape]:
    """Return the last `rows` bars of each sample that suits the strategy, by a name for it.

    One channel gets SPY by day and EURUSD by hour; several get as many US shares and funds by day.
    """
    if strategy.channels == 1:
        return {
            "SPY 1d": _daily(("spy",)).last(rows),
            "EURUSD 1h": tape_of({"EURUSD": _bars("eurusd_1h_quotes")}).last(rows),
        }
    names = _DAILY[: strategy.channels]
    return {f"{' '.join(names).upper()} 1d": _daily(names).last(rows)}


def _daily(names: tuple[str, ...]) -> Tape:
    return tape_of({name.upper(): _bars(f"{name}_1d") for name in names})


def _bars(name: str) -> Bars:
    return read_bars_file(_FOLDER / f"{name}.csv.gz")[0]
