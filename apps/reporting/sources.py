"""Where events are read from: the logs of the other contexts, after everybody who waits for them has been served."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from banyan.store import Step, Store


class LogError(RuntimeError):
    """A log does not go on from where it was read to; the message says which, and what to do."""


class Source(Protocol):
    """The logs of one context, by key. Not for several threads at once."""

    name: str
    is_gapless: bool
    """Whether every number has a record."""

    def heads(self) -> Mapping[str, int]:
        """Return the number of the last record of each key."""

    def steps(self, key: str, after: int, upto: int) -> Iterable[Step]:
        """Yield the records of a key in order, from the one after `after` up to `upto`, both included."""

    def first(self, key: str) -> int:
        """Return the number of the first record that there still is, 1 where nothing has gone."""

    def close(self) -> None:
        """Close what is open."""


class Log:
    """The logs of a context that a host runs, read from its database."""

    is_gapless = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._store = Store(name)

    def heads(self) -> Mapping[str, int]:
        """Return the number of the last record of each key."""
        return dict(self._store.connection.execute("SELECT key, number FROM banyan_key WHERE number > 0").fetchall())

    def steps(self, key: str, after: int, upto: int) -> Iterable[Step]:
        """Yield the records of a key in order, from the one after `after` up to `upto`, both included."""
        return self._store.steps(key, after, upto)

    def first(self, key: str) -> int:
        """Return the number of the first record that there still is, 1 where nothing has gone."""
        return self._store.first_number(key)

    def close(self) -> None:
        """Close the connection."""
        self._store.close()


def check_whole(sources: Sequence[Source]) -> None:
    """Raise LogError where a log has lost its beginning."""
    for source in sources:
        for key in source.heads():
            first = source.first(key)
            if first > 1:
                raise LogError(
                    f"{source.name}/{key} begins at record {first}, so what came before it could not be built again: "
                    "restore a backup of that log, or keep what there is"
                )
