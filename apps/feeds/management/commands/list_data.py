"""`manage.py list_data`: what is stored."""

from argparse import ArgumentParser
from typing import Any

from django.db.models import Count, Max, Q

from apps.feeds.models import Import, QuarantinedRecord, Series
from apps.feeds.records import Reason
from banyan import commands
from trading.intervals import format_interval

_OPEN = Q(imports__quarantined__state=QuarantinedRecord.State.OPEN)


class Command(commands.Command):
    """List the stored series."""

    help = "List what is stored: instrument, interval, kind, rows, first, last, quarantined rows, last import."
    examples = """
  manage.py list_data
  manage.py list_data NYSEARCA:SPY --json"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take an instrument to limit the list to."""
        parser.add_argument("instrument", nargs="?", metavar="ID", help="only this instrument")
        parser.add_argument("--json", action="store_true", help="print the list as JSON")

    def run(self, **options: Any) -> None:
        """Print one line per series."""
        found = [_as_json(series) for series in _stored(options["instrument"])]
        if options["json"]:
            self.say_json(found)
            return
        if not found:
            self.say("Nothing is stored. Try `manage.py load_sample_data`, or `manage.py import_bars --help`.")
            return
        titles = ("instrument", "interval", "kind", "rows", "first", "last", "quarantined", "last import")
        lines = [titles, *([_cell(series[title.replace(" ", "_")]) for title in titles] for series in found)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
        for line in lines:
            cells = [
                cell.rjust(width) if titles[column] in ("rows", "quarantined") else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            self.say("  ".join(cells).rstrip())


def _stored(instrument: str | None) -> Any:
    series = Series.objects.order_by("instrument_id", "interval", "kind")
    series = series.annotate(
        quarantined=Count("imports__quarantined", filter=_OPEN & ~Q(imports__quarantined__reason=Reason.GAP)),
        gaps=Count("imports__quarantined", filter=_OPEN & Q(imports__quarantined__reason=Reason.GAP)),
        last_import=Max("imports__finished", filter=Q(imports__status=Import.Status.DONE)),
    )
    return series.filter(instrument_id=instrument.upper()) if instrument else series


def _as_json(series: Any) -> dict[str, Any]:
    moments = {"first": series.first, "last": series.last, "last_import": series.last_import}
    return {
        "instrument": series.instrument_id,
        "interval": format_interval(series.interval),
        "kind": series.kind,
        "rows": series.rows,
        **{name: None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in moments.items()},
        "quarantined": series.quarantined,
        "gaps": series.gaps,
    }


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
