"""The five stages of a context on its way out of the app, and who leads and who follows in each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from banyan.ids import derive


class StageError(ValueError):
    """A stage and the keys that go with it make no sense together; the message says why."""

    exit_code = 2


class Side(StrEnum):
    """Where a context runs."""

    APP = "app"
    SERVICE = "service"

    @property
    def other(self) -> "Side":
        """The other side."""
        return Side.SERVICE if self is Side.APP else Side.APP


class Stage(StrEnum):
    """How far a context is on its way out."""

    INPROCESS = "inprocess"
    SHADOW = "shadow"
    CANARY = "canary"
    LIVE = "live"
    EXTRACTED = "extracted"


@dataclass(frozen=True, slots=True)
class Routing:
    """A context's stage, and in `canary` the keys that its service leads. `version` counts the changes."""

    stage: Stage = Stage.INPROCESS
    service_keys: frozenset[str] = frozenset()
    version: int = 0

    def __post_init__(self) -> None:
        if (self.stage is Stage.CANARY) != bool(self.service_keys):
            raise StageError("Keys of the service belong to the stage canary, which needs at least one")

    def leader(self, key: str) -> Side:
        """Return which side is wanted to lead a key."""
        match self.stage:
            case Stage.INPROCESS | Stage.SHADOW:
                return Side.APP
            case Stage.CANARY:
                return Side.SERVICE if key in self.service_keys else Side.APP
            case Stage.LIVE | Stage.EXTRACTED:
                return Side.SERVICE

    def follower(self, key: str) -> Side | None:
        """Return which side is wanted to follow a key, None where there is but one."""
        match self.stage:
            case Stage.INPROCESS | Stage.EXTRACTED:
                return None
            case Stage.SHADOW | Stage.CANARY | Stage.LIVE:
                return self.leader(key).other

    @property
    def has_service(self) -> bool:
        """Whether there is a service: inputs then go to Kafka too, whichever side leads."""
        return self.stage is not Stage.INPROCESS

    @property
    def may_service_lead(self) -> bool:
        """Whether what the context gives out can come from its service."""
        return self.stage not in (Stage.INPROCESS, Stage.SHADOW)


def share_of(keys: Sequence[str], percent: int) -> frozenset[str]:
    """Return `percent` of keys, at least one: always the same ones, and of a larger share all those of a smaller."""
    if not 1 <= percent <= 100:
        raise StageError(f"{percent} is no percentage from 1 to 100")
    ordered = sorted(keys, key=lambda key: derive("share", key))
    return frozenset(ordered[: max(1, len(ordered) * percent // 100)])


def named_keys(keys: Sequence[str], wanted: Iterable[str]) -> frozenset[str]:
    """Return the keys that are wanted. Raises StageError for one that there is not."""
    found = frozenset(wanted)
    unknown = sorted(found - set(keys))
    if unknown:
        raise StageError(f"No key is called {unknown[0]!r}: there are {', '.join(keys)}")
    return found
