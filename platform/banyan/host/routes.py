"""Who gets which event, under which key."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from banyan.messages import Message

KeysOf = Callable[[str, Message], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Route:
    """Events of type `message` go to context `receiver`, to each key that `keys` gives for (sender's key, event)."""

    message: type[Message]
    receiver: str
    keys: KeysOf


def same_key(sender_key: str, _: Message) -> Iterable[str]:
    """Return the sender's own key: two contexts that are cut into keys alike."""
    return (sender_key,)


def every(keys: Sequence[str]) -> KeysOf:
    """Return a rule that gives an event to all of `keys`."""
    chosen = tuple(keys)
    return lambda _, __: chosen
