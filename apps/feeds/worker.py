"""The worker of all live feeds of a process."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import psycopg

from apps.feeds.adapters.port import Adapter
from apps.feeds.beside import Beside
from apps.feeds.contracts import QuoteTicked, ReceiveBars
from apps.feeds.defined import REPLAY, FeedDefinition, configured, spec_of
from apps.feeds.live import message_id
from apps.feeds.pipeline import FeedPipeline
from apps.feeds.running import RunningFeed
from banyan.clock import Clock
from banyan.ids import derive
from banyan.messages import Message
from banyan.transport import Command

_LOGGER = logging.getLogger(__name__)
_RETRY_SECONDS = (0.05, 0.2, 0.5, 1.0, 2.0)
_LOOK_SECONDS = 1.0
_REPORT_SECONDS = 2.0
_QUOTE_SECONDS = 0.1
_WAIT_SECONDS = 0.25
_UNSENT_MAX = 5_000
_AT_ONCE = 500


class Directory(Protocol):
    """What the worker asks of the database and tells it. All raise psycopg.OperationalError while it is away."""

    def wanted(self) -> Sequence[FeedDefinition]:
        """Return the feeds that are to run."""

    def known(self, feed: str) -> Mapping[tuple[str, int], int]:
        """Return up to which close time (ns UTC) a feed has bars of each (instrument, interval)."""

    def tell(self, commands: Sequence[Command]) -> None:
        """Send commands to feeds."""

    def report(self, feeds: Sequence[RunningFeed]) -> None:
        """Write down how the feeds are."""

    def close(self) -> None:
        """Let go of the connection."""


class FeedsWorker:
    """Runs the live feeds that are to run, each on its own: it works a little of each in turn, and waits for none.

    What they are told goes to the database together, in one transaction a round. `make` gets what tells whether all
    that was read of the feed has been sent. `publish` gets the newest quotes.

    A feed that the other side leads, as `beside` knows, is told nothing: what comes of its source is kept there. A
    replay, which begins when it is opened, is left to who leads.
    """

    name = "feed-sources"

    def __init__(
        self, directory: Directory, make: Callable[[FeedDefinition, Callable[[], bool]], Adapter], clock: Clock, *,
        publish: Callable[[QuoteTicked], None] = lambda _: None, beside: Beside | None = None,
    ) -> None:  # fmt: skip
        self.feeds: dict[str, RunningFeed] = {}
        self._directory = directory
        self._make = make
        self._clock = clock
        self._publish = publish
        self._beside = beside
        self._led: dict[str, bool] = {}
        self._definitions: dict[str, FeedDefinition] = {}
        self._unsent: list[Command] = []
        self._is_busy = False
        self._arrived = threading.Condition()
        self._looked = self._reported = self._quoted = -_REPORT_SECONDS

    def run(self, stop: threading.Event) -> None:
        """Run the feeds until `stop` is set; while the database is away they are read as far as there is room."""
        failures = 0
        while not stop.is_set():
            try:
                self._look()
                self._notice_who_leads()
                self._is_busy = True
                has_more = self._work()
                self._send()
                self._is_busy = False
                self._report()
                failures = 0
            except psycopg.OperationalError as problem:
                self._directory.close()
                seconds = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                _LOGGER.warning("feeds: the database is away, next try in %.2f s: %s", seconds, problem)
                stop.wait(seconds)
                continue
            if not has_more:
                self._wait()
        for name in list(self.feeds):
            self._stop(name)
        try:
            self._send()
        except psycopg.OperationalError as problem:
            _LOGGER.warning("feeds: %d messages were not sent, the database is away: %s", len(self._unsent), problem)
        self._directory.close()

    def wake(self) -> None:
        """Stop waiting."""
        with self._arrived:
            self._arrived.notify_all()

    def _look(self) -> None:
        """Start and stop feeds as they are wanted, and look after the sources of those that run."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        wanted = {each.feed: each for each in self._directory.wanted() if self._is_to_run(each)}
        for name in [name for name in self.feeds if wanted.get(name) != self._definitions[name]]:
            self._stop(name)
        for name in wanted.keys() - self.feeds.keys():
            self._start(wanted[name])
        for name, feed in self.feeds.items():
            self._add(name, feed.look(self._clock.wall_ns()))
        self._looked = time.monotonic()

    def _start(self, definition: FeedDefinition) -> None:
        pipeline = FeedPipeline(spec_of(definition), dict(self._directory.known(definition.feed)))
        self._definitions[definition.feed] = definition
        self._led[definition.feed] = self._leads(definition.feed) is True
        self.feeds[definition.feed] = RunningFeed(
            pipeline,
            lambda: self._make(definition, lambda: self._is_done(definition.feed)),
            self._clock,
            self._arrived,
            stale_after_ns=definition.stale_after_ns,
        )
        self._add(definition.feed, [configured(definition)])

    def _stop(self, name: str) -> None:
        self._add(name, self.feeds.pop(name).close())

    def _leads(self, name: str) -> bool | None:
        return True if self._beside is None else self._beside.leads.leads(name)

    def _is_to_run(self, definition: FeedDefinition) -> bool:
        leads = self._leads(definition.feed)
        return bool(leads) or (leads is False and definition.source != REPLAY)

    def _notice_who_leads(self) -> None:
        """Tell feeds that are led here from now on what they lack, and nothing more those that are not."""
        for name, feed in list(self.feeds.items()) if self._beside is not None else []:
            leads = self._leads(name)
            if leads is None or leads == self._led[name]:
                continue
            assert self._beside is not None
            self._led[name] = leads
            if leads:
                self._add(name, [configured(self._definitions[name]), *self._beside.taken(name), feed.silence()])
            else:
                self._unsent = [each for each in self._unsent if each.key != name]
                if self._definitions[name].source == REPLAY:
                    self._stop(name)

    def _is_done(self, name: str) -> bool:
        """Tell whether all that was read of a feed has been sent: worked off first, and then that round is over."""
        feed = self.feeds.get(name)
        return feed is not None and feed.is_idle() and not self._is_busy

    def _work(self) -> bool:
        """Work a little of each feed; tell whether there is more to do at once."""
        if len(self._unsent) > _UNSENT_MAX:
            return True
        has_more = False
        for name, feed in self.feeds.items():
            messages, is_behind = feed.work(self._clock.wall_ns())
            has_more = has_more or is_behind
            if self._beside is not None and not self._led[name]:
                self._beside.begin(name, feed.since_ns)
            self._add(name, messages)
        if self._beside is not None:
            self._beside.look()
        if time.monotonic() - self._quoted >= _QUOTE_SECONDS:
            self._quoted = time.monotonic()
            for quotes in [feed.quotes() for feed in self.feeds.values()]:
                if quotes is not None:
                    self._publish(quotes)
        return has_more

    def _add(self, feed: str, messages: Sequence[Message]) -> None:
        if self._beside is not None and not self._led.get(feed, True):
            self._beside.keep(feed, messages)
            return
        for message in messages:
            same = isinstance(message, ReceiveBars)
            told = message_id(message)
            self._unsent.append(Command(feed, message, told if same else derive(told, self._clock.wall_ns())))

    def _send(self) -> None:
        while self._unsent:
            self._directory.tell(self._unsent[:_AT_ONCE])
            del self._unsent[:_AT_ONCE]

    def _report(self) -> None:
        if time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._directory.report(list(self.feeds.values()))
            self._reported = time.monotonic()

    def _wait(self) -> None:
        dues = [due_ns for feed in self.feeds.values() if (due_ns := feed.due_ns()) is not None]
        longest = min([_WAIT_SECONDS, *((due_ns - self._clock.wall_ns()) / 1e9 for due_ns in dues)])
        if self._unsent or longest <= 0.0:
            return
        with self._arrived:
            self._arrived.wait_for(lambda: any(feed.has_items() for feed in self.feeds.values()), timeout=longest)
