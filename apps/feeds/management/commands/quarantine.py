"""`manage.py quarantine`: which records were not let in, and why."""

from argparse import ArgumentParser
from typing import Any

from django.db.models import Count

from apps.feeds.models import QuarantinedRecord
from apps.feeds.records import Reason
from banyan import commands


class Command(commands.Command):
    """List or show quarantined records."""

    help = "Count quarantined records by file and reason (list), or show each with file, line and text (show)."
    examples = """
  manage.py quarantine
  manage.py quarantine show --instrument NASDAQ:AAPL --reason jump"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to show."""
        parser.add_argument("what", nargs="?", choices=("list", "show"), default="list")
        parser.add_argument("--instrument", metavar="ID", help="only of this instrument")
        reasons = [reason.value for reason in Reason]
        told = f"only for this reason: {', '.join(reasons)}"
        parser.add_argument("--reason", choices=reasons, metavar="REASON", help=told)
        parser.add_argument("--file", metavar="TEXT", help="only of files whose path holds this")
        parser.add_argument("--all", action="store_true", help="those let in or discarded since, too")
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="show at most N (default: %(default)d)")
        parser.add_argument("--json", action="store_true", help="print as JSON")

    def run(self, **options: Any) -> None:
        """Print counts or records."""
        records = QuarantinedRecord.objects.select_related("source__series")
        if not options["all"]:
            records = records.filter(state=QuarantinedRecord.State.OPEN)
        if options["instrument"]:
            records = records.filter(source__series__instrument_id=options["instrument"].upper())
        if options["reason"]:
            records = records.filter(reason=options["reason"])
        if options["file"]:
            records = records.filter(source__path__contains=options["file"])
        if options["what"] == "list":
            self._list(records, options["json"])
        else:
            self._show(records, options["json"], options["limit"])

    def _list(self, records: Any, as_json: bool) -> None:
        names = ("source__path", "source__series__instrument_id", "reason")
        counts = list(records.order_by(*names).values_list(*names).annotate(count=Count("id")))
        if as_json:
            keys = ("file", "instrument", "reason", "count")
            self.say_json([dict(zip(keys, row, strict=True)) for row in counts])
            return
        for path, instrument, reason, count in counts:
            self.say(f"{count:>8,}  {reason:<16}  {instrument:<16}  {path}")
        if not counts:
            self.say("Nothing is in quarantine.")

    def _show(self, records: Any, as_json: bool, limit: int) -> None:
        total = records.count()
        shown = list(records.order_by("-source_id", "line", "id")[:limit])
        if as_json:
            self.say_json(
                [
                    {
                        "file": record.source.path,
                        "line": record.line,
                        "series": str(record.source.series),
                        "reason": record.reason,
                        "detail": record.detail,
                        "text": record.text,
                        "state": record.state,
                    }
                    for record in shown
                ]
            )
            return
        for record in shown:
            decided = f" ({record.state} by {record.decided_by})" if record.decided_by else ""
            self.say(f"{record.source.path}:{record.line}: {record.reason}: {record.detail}{decided}")
            if record.text:
                self.say(f"    {record.text}")
        if total > len(shown):
            self.say(f"… and {total - len(shown):,} more (--limit {total}).")
        if not total:
            self.say("Nothing is in quarantine.")
