"""The port of live market data: all that a feed knows of where its records come from."""

from typing import ClassVar, NamedTuple, Protocol

from apps.feeds.records import Records, Reject


class SourceError(RuntimeError):
    """A source cannot be reached or read now; the feed opens it again later."""

    exit_code: ClassVar = 1


class Given(NamedTuple):
    """Records of one instrument in the source's order, and what could not be read. `interval_ns` is 0 for ticks.

    `columns` names the value columns that the source has, as in `Source.columns_read`.
    """

    instrument: str
    interval_ns: int
    records: Records
    columns: tuple[str, ...]
    rejects: tuple[Reject, ...] = ()


class Reading(NamedTuple):
    """What a source gave at once, perhaps nothing.

    `is_current`: nothing older waits, and the source's time is the wall clock's. Else its time is that of the latest
    record given so far, and up to then all instruments' records have been given.
    """

    given: tuple[Given, ...] = ()
    is_current: bool = False


class Adapter(Protocol):
    """A source of ticks or bars. One thread opens and reads; `close` may come from any, and ends a read that waits."""

    def open(self, after_ns: int) -> int:
        """Begin, or begin again, with the records whose time is at or after `after_ns` (ns since 1970 UTC).

        Return the time from which on nothing is missing: `after_ns` where the source keeps its past, else now. What is
        given a second time has the same times and values. Raises SourceError.
        """

    def read(self, seconds: float) -> Reading | None:
        """Return what has come, after waiting for `seconds` at most; None at the end. Raises SourceError."""

    def close(self) -> None:
        """Let go of the source: `read` returns None from now on, until it is opened again."""
