"""How the live feeds are, as their last report says."""

from datetime import datetime, timedelta

from django.utils import timezone

from apps.feeds.defined import FeedError
from apps.feeds.interface import FeedStanding
from apps.feeds.models import Feed, FeedReport
from apps.feeds.rows import ALIAS
from apps.feeds.running import FAILING
from banyan.models import Key

_SILENT_AFTER = timedelta(seconds=10)


def feed_reports() -> dict[str, tuple[Feed, FeedReport | None]]:
    """Return each defined feed with its last report, if it ever ran."""
    reports = {each.feed_id: each for each in FeedReport.objects.using(ALIAS)}
    return {each.id: (each, reports.get(each.id)) for each in Feed.objects.using(ALIAS)}


def state_of(feed: Feed, report: FeedReport | None, now: datetime | None = None) -> str:
    """Return the state of a feed in a word or two."""
    if not feed.is_running:
        return "stopped"
    if report is None or (now or timezone.now()) - report.reported_at > _SILENT_AFTER:
        return "not run"
    return "stale" if report.is_stale and report.state != FAILING else report.state


def feed_names(*, with_logs: bool) -> list[str]:
    """Return the names of feeds that were defined, and of those that have nothing but a log if wanted, in order."""
    logs = Key.objects.using(ALIAS).values_list("key", flat=True) if with_logs else ()
    return sorted({*Feed.objects.using(ALIAS).values_list("id", flat=True), *logs})


def feed_standings() -> list[FeedStanding]:
    """Return how each feed is, by name."""
    found = []
    for name, (feed, report) in sorted(feed_reports().items()):
        definition = feed.definition
        instruments = tuple(each["id"] for each in definition["instruments"])
        counts = (0, 0, 0) if report is None else (report.records, report.bars, report.quarantined)
        last = None if report is None else report.last_record_at
        problem = "" if report is None else report.problem
        state = state_of(feed, report)
        found.append(FeedStanding(name, state, definition["source"], instruments, last, *counts, problem))
    return found


def run_feed(name: str, *, is_running: bool) -> bool:
    """Start or stop a feed; return whether that changes anything. Raises FeedError where there is none."""
    feeds = Feed.objects.using(ALIAS)
    if not feeds.filter(id=name).exists():
        known = ", ".join(feeds.values_list("id", flat=True))
        there = f"there are: {known}" if known else "there is none yet: `manage.py feeds add --help`"
        raise FeedError(f"there is no feed {name}; {there}")
    return bool(feeds.filter(id=name).exclude(is_running=is_running).update(is_running=is_running))


def notices() -> list[str]:
    """Return what a person has to look at: one line for each feed that does not give what it should."""
    found = []
    for name, (feed, report) in feed_reports().items():
        match state_of(feed, report):
            case "not run":
                found.append(f"feed {name} was started, and no process runs it: `manage.py run`")
            case "failing" if report is not None:
                found.append(f"feed {name} is failing: {report.problem}")
            case "stale" if report is not None:
                last = f"{report.last_record_at:%Y-%m-%d %H:%M:%S} UTC" if report.last_record_at else "it began"
                found.append(f"feed {name} is stale: nothing has come since {last}")
    return found
