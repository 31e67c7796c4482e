"""The shipped prices, and how each file is imported."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.feeds.adjustments import FactorRow, read_factor_file
from apps.feeds.imports import Options, Outcome, import_file
from apps.feeds.models import Factor, Instrument
from apps.feeds.records import Kind
from apps.feeds.series import find_instrument
from trading.intervals import parse_interval

SAMPLE = Path(__file__).with_name("sample")

_DAILY = {
    "spy": "NYSEARCA:SPY",
    "aapl": "NASDAQ:AAPL",
    "ibm": "NYSE:IBM",
    "bac": "NYSE:BAC",
    "qqq": "NASDAQ:QQQ",
    "iwm": "NYSEARCA:IWM",
    "eem": "NYSEARCA:EEM",
}


@dataclass(frozen=True, slots=True)
class SampleFile:
    """One shipped file; `interval` is empty for ticks."""

    name: str
    instrument: str
    interval: str
    kinds: tuple[Kind, ...] = (Kind.QUOTES, Kind.BARS)
    tz: str | None = None


FILES = (
    SampleFile("eurusd_1h_quotes.csv.gz", "OANDA:EURUSD", "1h"),
    *(SampleFile(f"{name}_1d.csv.gz", instrument, "1d") for name, instrument in _DAILY.items()),
    SampleFile("spy_1m_2013-10-07_11.csv.gz", "NYSEARCA:SPY", "1m", tz="America/New_York"),
    SampleFile("eurusd_ticks_2014-05-02.csv.gz", "OANDA:EURUSD", "", (Kind.TICKS,)),
)


def load_sample() -> Iterator[Outcome]:
    """Import the shipped files and factors, and yield what became of each file. Done before, it changes nothing."""
    for name, instrument in _DAILY.items():
        store_factors(find_instrument(instrument), read_factor_file(SAMPLE / f"{name}_factors.csv.gz"))
    for file in FILES:
        yield import_file(
            SAMPLE / file.name,
            find_instrument(file.instrument),
            parse_interval(file.interval) if file.interval else 0,
            file.kinds,
            Options(tz=file.tz),
        )


def store_factors(instrument: Instrument, rows: list[FactorRow]) -> bool:
    """Make `rows` the instrument's factors, all or none; return whether that changed anything."""
    from django.db import transaction

    from apps.feeds.rows import ALIAS

    stored = Factor.objects.filter(instrument=instrument).order_by("date")
    fields = ("date", "price_factor", "split_factor", "reference_price")
    given = [tuple(getattr(row, name) for name in fields) for row in rows]
    if list(stored.values_list(*fields)) == given:
        return False
    with transaction.atomic(using=ALIAS):
        Factor.objects.filter(instrument=instrument).delete()
        Factor.objects.bulk_create(
            [Factor(instrument=instrument, **dict(zip(fields, row, strict=True))) for row in given]
        )
    return True
