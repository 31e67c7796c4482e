"""Topics: their names, which of them a stream is on, and what each is to be like."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

KINDS = ("cmd", "evt", "log")
_PART = r"[a-z0-9][a-z0-9-]*"
_NAME = re.compile(rf"{_PART}\.{_PART}\.({'|'.join(KINDS)})\.[A-Za-z0-9._-]+\.v[1-9][0-9]*")
_LENGTH_MAX = 249
RESERVED = frozenset({"compared"})
"""Names that no key may have which has topics of its own: its context has one that is called so."""


class TopicError(ValueError):
    """A topic's name is none of ours; the message says which and why."""


def topic_name(environment: str, context: str, kind: str, name: str, major: int = 1) -> str:
    """Return `<environment>.<context>.<kind>.<name>.v<major>`. Raises TopicError where Kafka would not take it."""
    made = f"{environment}.{context}.{kind}.{name}.v{major}"
    if not _NAME.fullmatch(made) or len(made) > _LENGTH_MAX:
        raise TopicError(
            f"{made!r} cannot be a topic: at most {_LENGTH_MAX} letters, digits, dots, hyphens and underscores"
        )
    return made


@dataclass(frozen=True)
class Topics:
    """Which topic and partition a message is on.

    All streams from a context to another are on one topic where `shared` names it; else each of the sender's keys has a
    topic. One whose (sender, receiver) is `keyed` has a partition for each of `shards`; others have one. The log of a
    context is the stream from each of its keys to itself, on the side that follows.
    """

    environment: str
    shards: Sequence[str]
    shared: Mapping[tuple[str, str], str] = field(default_factory=dict)
    keyed: frozenset[tuple[str, str]] = frozenset()

    def name(self, sender: str, receiver: str, sender_key: str) -> str:
        """Return the topic of the streams from a key of `sender` to keys of `receiver`."""
        return topic_name(
            self.environment, sender, _kind(sender, receiver), self.shared.get((sender, receiver), sender_key)
        )

    def resend(self, sender: str) -> str:
        """Return the topic on which receivers ask `sender` for what they miss."""
        return topic_name(self.environment, sender, "cmd", "resend")

    def requests(self, context: str) -> str:
        """Return the topic on which the side that follows passes on what people ask of a context."""
        return topic_name(self.environment, context, "cmd", "requests")

    def compared(self, context: str) -> str:
        """Return the topic on which followers of a context tell what they would have decided."""
        (name,) = RESERVED
        return topic_name(self.environment, context, "evt", name)

    def questions(self, context: str) -> str:
        """Return the topic on which others ask a context what it alone knows."""
        return topic_name(self.environment, context, "cmd", "questions")

    def answers(self, context: str) -> str:
        """Return the topic on which a context answers."""
        return topic_name(self.environment, context, "cmd", "answers")

    def partition(self, sender: str, receiver: str, receiver_key: str) -> int:
        """Return the partition of what a key of `receiver` gets from `sender`."""
        return self._places[receiver_key] if (sender, receiver) in self.keyed else 0

    def read_by(self, receiver: str, sender: str, key: str, existing: Sequence[str]) -> list[tuple[str, int]]:
        """Return (topic, partition) of all that a key of `receiver` reads from `sender`, of the topics that exist."""
        partition = self.partition(sender, receiver, key)
        if (sender, receiver) in self.shared or sender == receiver:
            wanted = self.name(sender, receiver, key)
            return [(wanted, partition)] if wanted in existing else []
        ours = topic_name(self.environment, sender, _kind(sender, receiver), "x").removesuffix("x.v1")
        theirs = [topic for topic in existing if topic.startswith(ours) and topic.endswith(".v1")]
        return [(topic, partition) for topic in theirs if topic != self.compared(sender)]

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {key: place for place, key in enumerate(self.shards)}


def _kind(sender: str, receiver: str) -> str:
    return "log" if sender == receiver else "evt"


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic is to be like. `writers` and `readers` are the contexts whose principals may."""

    name: str
    partitions: int
    retention_hours: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    cleanup: str = "delete"
    is_keyed: bool = False
    """Whether a key finds its partition by their number, which then stays for life."""

    def configuration(self, copies: int) -> dict[str, str]:
        """Return Kafka's settings of the topic where each partition is kept in so many copies."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_hours * 3_600_000),
            "min.insync.replicas": str(max(1, copies - 1)),
            "max.message.bytes": "8388608",
        }
