"""What the commands of market data share: arguments of imports, progress, and output for people and scripts."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.feeds.checks import MAX_JUMP_SIGMAS
from apps.feeds.imports import IMPORT_STEPS, Options, Outcome, import_file
from apps.feeds.records import Kind
from apps.feeds.series import find_instrument
from apps.feeds.sources import Progress
from banyan.commands import Command, UsageError, counted

ROWS_QUARANTINED = 3  # the exit code of an import with --strict
WHEN_STOPPED = "stopped by Ctrl-C: the batches before are stored whole; give the command again to go on"


@contextmanager
def progress_bar(path: Path, quiet: bool) -> Iterator[Progress]:
    """Show how far a file's import is, on a terminal only; give the function to tell it."""
    from tqdm import tqdm

    layout = "{desc} {percentage:3.0f}% |{bar}| {elapsed}"
    total = IMPORT_STEPS * path.stat().st_size
    with tqdm(total=total, desc=path.name, bar_format=layout, disable=True if quiet else None, leave=False) as bar:
        yield bar.update


def add_import_arguments(parser: ArgumentParser) -> None:
    """Add the arguments that imports of bars and of ticks share."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV, gzipped CSV or Parquet")
    parser.add_argument("--instrument", required=True, metavar="ID", help="VENUE:SYMBOL, such as OANDA:EURUSD")
    parser.add_argument(
        "--tz",
        metavar="ZONE",
        help="zone of times written without an offset (default: UTC; for dates without a clock time the instrument's)",
    )
    parser.add_argument("--columns", metavar="A,B,…", help="names of the columns in order; - leaves one out")
    parser.add_argument("--max-jump-sigmas", type=float, default=MAX_JUMP_SIGMAS, metavar="X", help=_JUMP_HELP)
    parser.add_argument("--replace", action="store_true", help="where stored rows differ, the file is the truth")
    parser.add_argument(
        "--strict", action="store_true", help=f"exit with {ROWS_QUARANTINED} when a row went to quarantine"
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


_JUMP_HELP = "how many robust sigmas a price may leave and come back (default: %(default)g; inf: any)"


def import_files(command: Command, options: dict[str, Any], interval: int, kinds: tuple[Kind, ...]) -> None:
    """Import each file in turn and say what became of it."""
    columns = options["columns"]
    settings = Options(
        tz=options["tz"],
        columns=None if columns is None else tuple(name.strip() for name in columns.split(",")),
        max_jump_sigmas=options["max_jump_sigmas"],
        replace=options["replace"],
    )
    if not settings.max_jump_sigmas > 0:
        raise UsageError(f"--max-jump-sigmas must be positive, not {settings.max_jump_sigmas}.")
    instrument = find_instrument(options["instrument"])
    outcomes = []
    for path in options["files"]:
        with progress_bar(path, quiet=options["json"]) as progress:
            outcome = import_file(path, instrument, interval, kinds, settings, progress)
        outcomes.append(outcome)
        if not options["json"]:
            say_outcome(command, outcome)
    if options["json"]:
        command.say_json([outcome_as_json(outcome) for outcome in outcomes])
    if options["strict"] and any(outcome.rows_quarantined for outcome in outcomes):
        raise CommandError("rows went to quarantine: see `manage.py quarantine show`.", returncode=ROWS_QUARANTINED)


def say_outcome(command: Command, outcome: Outcome) -> None:
    """Write what an import did: counts of good rows and of quarantined ones by reason."""
    if outcome.was_done:
        command.say(f"{Path(outcome.path).name}: imported before, nothing to do ({outcome.rows_good:,} rows).")
        return
    counts = [f"{outcome.rows_added:,} added"]
    if outcome.rows_replaced:
        counts.append(f"{outcome.rows_replaced:,} replaced")
    if outcome.rows_present:
        counts.append(f"{outcome.rows_present:,} there already")
    command.say(
        f"{Path(outcome.path).name}: {outcome.rows_read:,} rows read into {outcome.series}: {', '.join(counts)}."
    )
    if outcome.rows_quarantined:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in outcome.reasons.items() if reason != "gap")
        command.say(f"  {outcome.rows_quarantined:,} in quarantine: {reasons} (`manage.py quarantine show`)")
    if outcome.reasons.get("gap"):
        gaps = counted(outcome.reasons["gap"], "gap")
        command.say(f"  {gaps} noted against the calendar {outcome.series.instrument.calendar}")


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """Return what an import did, for scripts."""
    return {
        "file": outcome.path,
        "series": str(outcome.series),
        "imported_before": outcome.was_done,
        "rows_read": outcome.rows_read,
        "rows_good": outcome.rows_good,
        "rows_added": outcome.rows_added,
        "rows_replaced": outcome.rows_replaced,
        "rows_present": outcome.rows_present,
        "rows_quarantined": outcome.rows_quarantined,
        "reasons": outcome.reasons,
    }
