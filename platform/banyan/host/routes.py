"""Who gets which event, under which key."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from banyan.messages import Message

KeysOf = Callable[[str, Message, Any], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Route:
    """Events of type `message` go to context `receiver`, to the keys that `keys` gives for (our key, event, state).

    The state is the one that the input with this event has led to. A follower has the same, so `keys` must depend on
    nothing else: what both sides would send then goes to the same keys.
    """

    message: type[Message]
    receiver: str
    keys: KeysOf


def same_key(sender_key: str, _: Message, __: Any) -> Iterable[str]:
    """Return the sender's own key: two contexts that are cut into keys alike."""
    return (sender_key,)


def every(keys: Sequence[str]) -> KeysOf:
    """Return a rule that gives an event to all of `keys`."""
    chosen = tuple(keys)
    return lambda _, __, ___: chosen
