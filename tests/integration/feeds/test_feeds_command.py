"""`manage.py feeds`: what is defined is kept, and what cannot run is refused with what to do."""

import json
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from django.core.management import CommandError, call_command

from apps.feeds.adapters.replay import ReplayAdapter
from apps.feeds.adapters.tail import TailAdapter
from apps.feeds.defined import FeedDefinition, adapter_of, spec_of
from apps.feeds.models import Feed
from apps.feeds.sample_data import SAMPLE
from banyan.clock import SystemClock
from trading.intervals import HOUR, MINUTE, SECOND

pytestmark = pytest.mark.django_db(databases=["feeds"], transaction=True)
EURUSD = "OANDA:EURUSD"


def feeds(*arguments: str) -> str:
    out = StringIO()
    call_command("feeds", *arguments, stdout=out)
    return out.getvalue()


def defined(feed: str = "oanda") -> FeedDefinition:
    return msgspec.convert(Feed.objects.get(id=feed).definition, FeedDefinition)


def test_what_is_defined_is_kept_and_becomes_an_adapter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    feeds(
        "add",
        "--instrument",
        f"{EURUSD}={path}",
        "--bars",
        "1h",
        "--bars",
        "1m",
        "--wait",
        "0.5",
        "--columns",
        "ts, bid,ask",
    )
    found = defined()
    assert (found.bars_ns, found.wait_ns, found.files) == ([MINUTE, HOUR], SECOND // 2, [str(path)])
    assert found.columns == ["ts", "bid", "ask"]
    assert isinstance(adapter_of(found, SystemClock(), lambda: True), TailAdapter)
    assert spec_of(found).instruments[EURUSD].tick_size == 1e-5
    listed = json.loads(feeds("list", "--json"))
    assert [(each["feed"], each["state"]) for each in listed] == [("oanda", "stopped")]


def test_a_replay_gives_what_is_stored_and_is_refused_where_nothing_is(tmp_path: Path) -> None:
    arguments = ("add", "--source", "replay", "--instrument", EURUSD, "--bars", "1m")
    with pytest.raises(CommandError, match="nothing is stored for OANDA:EURUSD"):
        feeds(*arguments)
    call_command(
        "import_ticks", str(SAMPLE / "eurusd_ticks_2014-05-02.csv.gz"), "--instrument", EURUSD, stdout=StringIO()
    )
    feeds(*arguments)
    adapter = adapter_of(defined(), SystemClock(), lambda: True)
    assert isinstance(adapter, ReplayAdapter)
    adapter.open(0)
    count = 0
    while (reading := adapter.read(0.0)) is not None:
        count += sum(len(each.records) for each in reading.given)
    assert count == 49_341


def test_a_feed_is_started_stopped_and_removed(tmp_path: Path) -> None:
    feeds("add", "--instrument", f"{EURUSD}={tmp_path}/a.csv", "--bars", "1m")
    feeds("start", "oanda")
    assert Feed.objects.get(id="oanda").is_running
    assert "it goes on with this" in feeds("add", "--instrument", f"{EURUSD}={tmp_path}/a.csv", "--bars", "5m")
    assert "oanda: not run, tail of OANDA:EURUSD" in feeds("list")
    feeds("stop", "oanda")
    assert not Feed.objects.get(id="oanda").is_running
    feeds("remove", "oanda")
    assert "There is no feed yet" in feeds("list")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add"], "at least one --instrument"),
        (["add", "--instrument", EURUSD, "--bars", "1m"], "--instrument ID=FILE"),
        (["add", "--instrument", f"{EURUSD}=/nowhere/a.csv", "--bars", "1m"], "there is no folder /nowhere"),
        (["add", "--instrument", f"{EURUSD}=/", "--bars", "1m"], "is a folder"),
        (["add", "--instrument", f"{EURUSD}=a.csv.gz", "--bars", "1m"], "gzipped"),
        (["add", "--instrument", f"{EURUSD}=a.csv"], "say which with --bars"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--interval", "1m", "--bars", "1h"], "taken as they are"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--bars", "soon"], "not an interval"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--bars", "36h"], "whole days"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--bars", "1m", "--wait", "-1"], "--wait is a time"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--bars", "1m", "--wait", "nan"], "no number of seconds"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--bars", "1m", "--stale-after", "0"], "1 s or more"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--bars", "1m", "--speed", "2"], "are for --source replay"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--bars", "1m", "--tz", "Mars"], "not a time zone"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--instrument", f"{EURUSD}=b.csv", "--bars", "1m"], "once"),
        (["add", "--instrument", f"{EURUSD}=a.csv", "--instrument", "NASDAQ:AAPL=b.csv", "--bars", "1m"], "one venue"),
        (["add", "mine", "--instrument", f"{EURUSD}=a.csv", "--bars", "1m"], "one venue and its name"),
        (["add", "--source", "replay", "--instrument", f"{EURUSD}=a.csv", "--bars", "1m"], "are for --source tail"),
        (["add", "--source", "replay", "--instrument", EURUSD, "--bars", "1m", "--speed", "-1"], "above 0"),
        (["add", "--source", "replay", "--instrument", EURUSD, "--bars", "1m", "--from", "then"], "not a time"),
        (["start", "oanda"], "there is no feed oanda; there is none yet"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_with_what_to_do(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=words) as refused:
        feeds(*arguments)
    assert refused.value.returncode == 2
    assert not Feed.objects.exists()
