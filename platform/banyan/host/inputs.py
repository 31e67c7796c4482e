"""The inputs that a host gives a key by itself."""

from banyan.codec import Envelope, encode_message
from banyan.host.delivery import Delivery
from banyan.ids import derive
from banyan.messages import TimerDue, TookOver


def timer_due(context: str, key: str, name: str, due_ns: int) -> Delivery:
    """Return that a timer is due; `due_ns` is in ns since 1970 UTC."""
    message = TimerDue(name=name, due_ns=due_ns)
    envelope = Envelope(
        name=TimerDue.wire_name, id=derive(context, key, name, due_ns), key=key, correlation=name, event_time_ns=due_ns
    )
    return Delivery(context, envelope, encode_message(message), message)


def took_over(context: str, key: str, epoch: int, side: str) -> Delivery:
    """Return the first input of a key in an epoch in which a side leads it."""
    message = TookOver(side=side)
    envelope = Envelope(name=TookOver.wire_name, id=derive(context, key, "took-over", epoch), key=key)
    return Delivery(context, envelope, encode_message(message), message)
