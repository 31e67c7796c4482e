"""One live feed while it runs: a thread that reads its source, and the pipeline that its records go through."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from apps.feeds.adapters.port import Adapter, Reading
from apps.feeds.calendars import Times, sessions
from apps.feeds.contracts import QuoteTicked, ReportSilence
from apps.feeds.pipeline import FeedPipeline
from banyan.clock import Clock
from banyan.messages import Message
from trading.intervals import DAY, SECOND

_LOGGER = logging.getLogger(__name__)
_READ_SECONDS = 0.5
_WAITING_MAX = 20_000  # records; a source that gives more is read no further until they are worked off
_RETRY_SECONDS = (0.05, 0.2, 1.0, 5.0, 15.0)
_OPENING_NS_MAX = 600 * SECOND
_ANSWER_NS_MAX = 15 * SECOND

OPENING, RUNNING, FAILING, ENDED = "opening", "running", "failing", "ended"


@dataclass(frozen=True, slots=True)
class _Opened:
    since_ns: int


@dataclass(frozen=True, slots=True)
class _Problem:
    text: str


@dataclass(frozen=True, slots=True)
class _End:
    pass


_Item = Reading | _Opened | _Problem | _End


class RunningFeed:
    """A feed that is read by a thread of its own and worked by another one, which it never keeps waiting.

    `make` gives a new adapter. `arrived` is notified when there is something to work. A source that fails is opened
    again, from the last bar that was made, after a pause that grows; one that does not answer any more is left to
    itself, and a new adapter takes its place. Nothing else waits for either.
    """

    def __init__(
        self, pipeline: FeedPipeline, make: Callable[[], Adapter], clock: Clock, arrived: threading.Condition, *,
        stale_after_ns: int,
    ) -> None:  # fmt: skip
        self.name = pipeline.spec.feed
        self.counts = pipeline.counts
        self.state, self.problem = OPENING, ""
        self.is_silent: bool | None = None
        self.opened = 0
        self.since_ns: int | None = None
        self.last_record_ns = 0
        self._last_tick_ns = 0
        self._silent_record_ns = 0
        self._pipeline = pipeline
        self._make = make
        self._clock = clock
        self._arrived = arrived
        self._stale_after_ns = stale_after_ns
        self._room = threading.Condition()
        self._items: deque[_Item] = deque()
        self._waiting = 0
        self._after_ns = pipeline.known_until_ns()
        self._known_ns = max(pipeline.known.values(), default=0)
        self._generation = 0
        self._patience = 1
        self._heard_ns = 0
        self._is_opening = True
        self._closing = threading.Event()
        self._sessions: list[tuple[Times, Times]] = []
        self._sessions_until_ns = 0
        self._began_ns = clock.wall_ns()
        self._adapter = self._start()

    def work(self, wall_ns: int) -> tuple[list[Message], bool]:
        """Work off one thing that has come, and the time; return what the feed is to be told, and if there is more."""
        with self._room:
            item = self._items.popleft() if self._items else None
        messages: list[Message] = []
        try:
            if item is not None:
                messages += self._take(item, wall_ns)
            messages += self._pipeline.pass_time(wall_ns)
        except Exception as problem:  # a mistake of ours in one feed must not end the others
            _LOGGER.exception("feed %s failed", self.name)
            self._fail(f"{type(problem).__name__}: {problem}")
            self._restart()
            return messages, False
        with self._room:
            if item is not None:
                self._waiting -= _size(item)
                self._after_ns = self._pipeline.known_until_ns()
                self._room.notify_all()
            has_more = bool(self._items)
        return messages, has_more

    def has_items(self) -> bool:
        """Tell whether something has come."""
        return bool(self._items)

    def is_idle(self) -> bool:
        """Tell whether all that was read has been worked off."""
        return not self._waiting

    def quotes(self) -> QuoteTicked | None:
        """Return the newest quotes that have moved, where they are of now."""
        quotes = self._pipeline.quotes()
        return quotes if self._pipeline.is_current else None

    def due_ns(self) -> int | None:
        """Return when it has to be worked, whether something comes or not; ns since 1970 UTC."""
        return self._pipeline.due_ns()

    def look(self, wall_ns: int) -> list[Message]:
        """Look after the source; return what there is to tell of its silence."""
        limit_ns = _OPENING_NS_MAX if self._is_opening else _ANSWER_NS_MAX * self._patience
        silent_ns = self._clock.monotonic_ns() - self._heard_ns
        if self.state != ENDED and silent_ns > limit_ns:
            self._fail(f"the source has not answered for {silent_ns // SECOND} s; it was opened anew")
            self._patience = min(2 * self._patience, 40)
            self._restart()
        # What came and ended between two looks is told too.
        is_back = bool(self.is_silent) and self.last_record_ns != self._silent_record_ns
        is_silent = self._is_stale(wall_ns) and not is_back
        if is_silent == self.is_silent or (self.is_silent is None and not is_silent and not self.last_record_ns):
            return []
        self.is_silent, self._silent_record_ns = is_silent, self.last_record_ns
        return [ReportSilence(feed=self.name, last_tick_ns=self._last_tick_ns, is_silent=is_silent)]

    def silence(self) -> ReportSilence:
        """Return whether the feed is silent now, for who has not been told when that began."""
        return ReportSilence(feed=self.name, last_tick_ns=self._last_tick_ns, is_silent=bool(self.is_silent))

    def close(self) -> list[Message]:
        """Stop; return what is still to be told."""
        self._generation += 1
        self._closing.set()
        self._adapter.close()
        with self._room:
            self._room.notify_all()
        ended = [ReportSilence(feed=self.name, last_tick_ns=self._last_tick_ns, is_silent=False)]
        return [*self._pipeline.refused(), *(ended if self.is_silent else [])]

    def _take(self, item: _Item, wall_ns: int) -> Sequence[Message]:
        match item:
            case _Opened(since_ns=since_ns):
                self._pipeline.begin(since_ns)
                # What was known when this began is not made again.
                self.since_ns = max(since_ns, self._known_ns)
                self.state, self.opened = RUNNING, self.opened + 1
            case _Problem(text=text):
                self._fail(text)
            case _End():
                self.state = ENDED
                return self._pipeline.refused()
            case _:
                times = [int(each.records.time.max()) for each in item.given if len(each.records)]
                if times:
                    self.state, self.problem, self._patience = RUNNING, "", 1
                    self.last_record_ns, self._last_tick_ns = wall_ns, max(self._last_tick_ns, *times)
                return self._pipeline.take(item, wall_ns)
        return []

    def _fail(self, text: str) -> None:
        if text != self.problem:
            _LOGGER.warning("feed %s: %s", self.name, text)
        self.state, self.problem = FAILING, text

    def _is_stale(self, wall_ns: int) -> bool:
        """Tell whether nothing has come for too long, counted while an instrument's session is open."""
        if self.state == ENDED:
            return False
        since_ns = max(self.last_record_ns, self._began_ns)
        opens = []
        for begins, ends in self._sessions:
            place = int(np.searchsorted(begins, wall_ns, side="right")) - 1
            if place >= 0 and wall_ns < ends[place]:
                opens.append(int(begins[place]))
        return bool(opens) and wall_ns - max(since_ns, min(opens)) >= self._stale_after_ns

    def _start(self) -> Adapter:
        self._generation += 1
        self._is_opening, self._heard_ns = True, self._clock.monotonic_ns()
        adapter = self._make()
        reader = threading.Thread(
            target=self._read, args=(adapter, self._generation), name=f"feed-{self.name}", daemon=True
        )
        reader.start()
        return adapter

    def _restart(self) -> None:
        old = self._adapter
        with self._room:
            self._items.clear()
            self._waiting = 0
            self._after_ns = self._pipeline.known_until_ns()
            self._adapter = self._start()
            self._room.notify_all()
        # It may hang too, so nobody waits for it.
        threading.Thread(target=old.close, name=f"feed-{self.name}-close", daemon=True).start()

    def _read(self, adapter: Adapter, generation: int) -> None:
        """Read the source until it ends, or another adapter has taken its place."""
        failures = 0
        while generation == self._generation:
            try:
                self._know_sessions()
                self._put(generation, _Opened(adapter.open(self._after_ns)))
                was_current = False
                while generation == self._generation:
                    self._is_opening, self._heard_ns = False, self._clock.monotonic_ns()
                    reading = adapter.read(_READ_SECONDS)
                    if reading is None:
                        self._put(generation, _End())
                        return
                    if reading.given or reading.is_current != was_current:
                        failures = 0 if reading.given else failures
                        was_current = reading.is_current
                        self._put(generation, reading)
                    self._know_sessions()
            except Exception as problem:  # noqa: BLE001  (whatever a source raises is its own problem)
                self._put(generation, _Problem(str(problem) or type(problem).__name__))
                adapter.close()
                self._until_worked(generation)
                self._pause(generation, _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                failures += 1
        adapter.close()

    def _put(self, generation: int, item: _Item) -> None:
        with self._room:
            while generation == self._generation and self._waiting >= _WAITING_MAX:
                self._heard_ns = self._clock.monotonic_ns()  # it is we who keep it waiting
                self._room.wait(_READ_SECONDS)
            if generation != self._generation:
                return
            self._items.append(item)
            self._waiting += _size(item)
        with self._arrived:
            self._arrived.notify()

    def _until_worked(self, generation: int) -> None:
        with self._room:
            while generation == self._generation and self._waiting:
                self._heard_ns = self._clock.monotonic_ns()
                self._room.wait(_READ_SECONDS)

    def _pause(self, generation: int, seconds: float) -> None:
        if generation == self._generation:
            self._closing.wait(seconds)
            self._heard_ns = self._clock.monotonic_ns()

    def _know_sessions(self) -> None:
        """Look up when the instruments trade; a calendar may take seconds, so the reader does it."""
        wall_ns = self._clock.wall_ns()
        if wall_ns >= self._sessions_until_ns:
            calendars = {each.calendar for each in self._pipeline.spec.instruments.values()}
            self._sessions = [sessions(wall_ns - 7 * DAY, wall_ns + 30 * DAY, each) for each in sorted(calendars)]
            self._sessions_until_ns = wall_ns + 20 * DAY


def _size(item: _Item) -> int:
    return 1 + (sum(len(each.records) for each in item.given) if isinstance(item, Reading) else 0)
