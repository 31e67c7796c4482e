"""What to do with a message by its place on its stream."""

from enum import Enum

from banyan.codec import Envelope


class Verdict(Enum):
    """What a receiver does with a message."""

    APPLY = "apply"
    DUPLICATE = "duplicate"
    HOLD = "hold"


def judge(mark: tuple[int, int], envelope: Envelope) -> Verdict:
    """Return what to do with a numbered message where the stream has been applied up to `mark`: (epoch, position).

    A message is applied if the one before it is the last that was applied. One of a newer epoch that follows something
    older than the mark comes from a sender that was restored to an earlier time: it is applied too, because what it
    replaces will never be sent again. Everything else waits for what is missing in between.
    """
    epoch, position = mark
    if (envelope.epoch, envelope.number) <= mark or (envelope.epoch == epoch and envelope.number <= position):
        return Verdict.DUPLICATE
    if envelope.previous == position:
        return Verdict.APPLY
    if envelope.epoch > epoch and envelope.previous < position:
        return Verdict.APPLY
    return Verdict.HOLD
