"""`manage.py replay`: what is stored reaches the feed, once, in order."""

import threading
from collections.abc import Iterator
from io import StringIO

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from apps.feeds.contracts import BarClosed, QuarantineRecords, ReceiveBars
from apps.feeds.core import FEEDS
from apps.feeds.interface import read_bars
from apps.feeds.sample_data import SAMPLE
from banyan.clock import SystemClock
from banyan.codec import decode_envelope, decode_message
from banyan.host import Host, HostSettings
from banyan.host.delivery import split_events
from banyan.process import HostWorker, Listener
from banyan.store import Store
from banyan.transport import LocalTransport

pytestmark = pytest.mark.django_db(databases=list(settings.DATABASES), transaction=True)
EURUSD = "OANDA:EURUSD"


def command(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store("feeds")
    yield made
    made.close()


@pytest.fixture
def ticks() -> None:
    command("import_ticks", str(SAMPLE / "eurusd_ticks_2014-05-02.csv.gz"), "--instrument", EURUSD)


def asked(store: Store, feed: str = "oanda") -> list[object]:
    rows = store.connection.execute("SELECT header, body FROM banyan_request WHERE key = %s ORDER BY place", [feed])
    return [decode_message(decode_envelope(header).name, body) for header, body in rows.fetchall()]


def closes(store: Store) -> list[int]:
    events = [each for step in store.steps("oanda", 0) for each in split_events(step.events)]
    messages = [decode_message(name, body) for name, body in events]
    return [each.closed_at_ns for each in messages if isinstance(each, BarClosed)]


def test_ticks_become_the_bars_that_resampling_makes_and_once_only(ticks, store):
    said = command("replay", EURUSD, "--interval", "tick", "--bars", "5m", "--bars", "1h")
    assert ", 0 of them had been given before" in said
    messages = asked(store)
    bars = [each for each in messages if isinstance(each, ReceiveBars)]
    command("resample", EURUSD, "--from", "tick", "--to", "5m")
    stored = read_bars(EURUSD, "5m", adjust="none")
    found = [each for each in bars if each.interval_ns == 300 * 10**9]
    whole = stored.time[: len(found)]  # the last one is of a period that is not over
    assert len(stored) - 1 <= len(found) <= len(stored)
    assert [each.closed_at_ns - each.interval_ns for each in found] == whole.tolist()
    assert [int(each.bid_close[0]) for each in found] == np.rint(stored.bid_close[: len(found)] / 1e-5).tolist()
    assert not any(isinstance(each, QuarantineRecords) for each in messages)
    again = command("replay", EURUSD, "--interval", "tick", "--bars", "5m", "--bars", "1h")
    assert f"{len(bars):,} closes given to feed oanda, {len(bars):,} of them had been given before" in again


def test_in_lock_step_a_bar_is_given_when_everything_about_the_one_before_was_done(ticks, store, monkeypatch):
    transport = LocalTransport({"feeds": []})
    monkeypatch.setattr("settings.roles.HOSTED_CONTEXTS", {"feeds": FEEDS})
    host = Host(FEEDS, Store("feeds"), [], SystemClock(), owner="test", settings=HostSettings(poll_seconds=0.05))
    transport.join(host)
    waiting = []
    stop = threading.Event()
    fetch = host.fetch

    def watched(wanted):
        found = fetch(wanted)
        waiting.extend(len(deliveries) for deliveries in found.values())
        return found

    host.fetch = watched
    workers = [HostWorker(host, None, SystemClock()), Listener(host.context.name, host)]
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in workers]
    for each in threads:
        each.start()
    try:
        command("replay", EURUSD, "--interval", "tick", "--bars", "1h", "--lockstep")
    finally:
        stop.set()
        for each in workers:
            each.wake()
        for each in threads:
            each.join()
        transport.close()
    assert len(closes(store)) >= 5
    assert max(waiting) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--interval", "tick"], "say which with --bars"),
        (["--bars", "1m"], "made of ticks"),
        (["--interval", "tick", "--bars", "36h"], "whole days"),
        (["--speed", "0"], "above 0"),
        (["--speed", "2", "--lockstep"], "no speed"),
        (["NASDAQ:AAPL"], "one venue"),
        (["--from", "yesterday"], "is not a time"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_what_to_do(arguments, words):
    with pytest.raises(CommandError, match=words) as refused:
        command("replay", EURUSD, *arguments)
    assert refused.value.returncode == 2
