"""Finding instruments and series in the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, ProgrammingError, connections
from django.db.models.functions import Collate

import trading.instruments
from apps.feeds.catalogue import instrument_not_found, shipped_instruments
from apps.feeds.models import Instrument, Series
from apps.feeds.records import Kind
from apps.feeds.rows import ALIAS

_PATIENCE_SECONDS = 5  # the server may need a moment to see that a writer was killed


class SeriesBusy(RuntimeError):
    """Another process is writing the series."""


def find_instrument(instrument_id: str) -> Instrument:
    """Return the database's instrument, made from the shipped one where there is none. Raises InstrumentNotFound."""
    stored = Instrument.objects.filter(pk=instrument_id.upper()).first()
    if stored is not None:
        return stored
    shipped = shipped_instruments().get(instrument_id.upper())
    if shipped is None:
        raise instrument_not_found(instrument_id, list(Instrument.objects.values_list("pk", flat=True)[:100]))
    stored = Instrument.from_instrument(shipped)
    Instrument.objects.bulk_create([stored], ignore_conflicts=True)
    return stored


def stored_instrument(instrument_id: str) -> trading.instruments.Instrument | None:
    """Return the database's instrument as trading's own type, None where there is none or no table for it."""
    try:
        stored = Instrument.objects.filter(pk=instrument_id.upper()).first()
    except ProgrammingError:
        return None
    return None if stored is None else stored.as_instrument()


def stored_instruments(after: str, most: int) -> list[trading.instruments.Instrument]:
    """Return the database's instruments as trading's own type, by id in the order of their bytes, those after one."""
    stored = Instrument.objects.annotate(by=Collate("id", "C")).filter(by__gt=after).order_by("by")[:most]
    return [each.as_instrument() for each in stored]


def find_series(instrument: Instrument, kind: Kind, interval: int) -> Series:
    """Return the series, made where there is none; `interval` in ns, 0 for ticks."""
    series, _ = Series.objects.get_or_create(instrument=instrument, kind=kind.value, interval=interval)
    return series


@contextmanager
def only_writer(series: Series) -> Iterator[None]:
    """Keep all other writers away from the series. The server lets go by itself when this process dies.

    Raises SeriesBusy when another one is writing.
    """
    key = str(series.uid)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{_PATIENCE_SECONDS}s'")
        try:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [key])
            # A batch of a writer that was killed may still be about to be committed.
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 1))", [key])
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 1))", [key])
        except OperationalError as error:
            raise SeriesBusy(f"another process is writing {series}: do this again when it is done.") from error
        cursor.execute("SET lock_timeout = 0")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def mark_batch(series: Series) -> None:
    """Make the next writer of the series wait until the transaction that this is called in is over."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 1))", [str(series.uid)])
