"""What must hold of logs, streams and dead letters. For what each yields, see Found of the invariants."""

from collections.abc import Iterator

from apps.audit.facts import Facts
from apps.audit.index import Orders

Found = Iterator[tuple[str, str, str]]


def logs_are_whole(facts: Facts, _: Orders) -> Found:
    """Yield logs that are damaged."""
    for context, key, problem in facts.damage:
        yield f"{context}/{key}", "a log without gap whose replay gives its state", problem


def all_taken_once(facts: Facts, _: Orders) -> Found:
    """Yield what was sent and not taken, what waits, and what was applied again."""
    for stream in facts.streams:
        if stream.taken < stream.sent:
            about = f"{stream.sender}/{stream.sender_key} to {stream.receiver}/{stream.receiver_key}"
            yield about, f"taken up to {stream.sent}", f"{stream.taken}"
    for (context, key), count in facts.waiting.items():
        yield f"{context}/{key}", "no command waiting", str(count)
    for each, times in facts.inputs.items():
        if times > 1:
            yield f"{each.context}/{each.key}, message {each.id}", "applied once", f"{times} times"


def no_row_crosses(facts: Facts, orders: Orders) -> Found:
    """Yield rows that are about an account of another shard, and orders that the broker has with another."""
    for stray in facts.strays:
        about = f"{stray.context}/{stray.key}, record {stray.number}"
        yield about, "accounts of this shard only", f"account {stray.account}"
    at_broker = zip(facts.crossed["of_account"].tolist(), facts.crossed["of_instrument"].tolist(), strict=True)
    for order, (account, instrument) in zip(orders.of["crossed"].tolist(), at_broker, strict=True):
        found = f"account {account}, {facts.names[instrument]}"
        yield orders.name(order), "that account and instrument at the broker", found


def poison_is_put_aside(facts: Facts, _: Orders) -> Found:
    """Yield dead letters that the log does not tell of, or that are not there, or that nobody has asked for."""
    for each in sorted(facts.parked.keys() | facts.dead_letters.keys()):
        told, kept = facts.parked[each], facts.dead_letters[each]
        if told != kept:
            yield f"{each.context}/{each.key}, record {each.number}", f"{told} dead letters", str(kept)
    if facts.open_letters != facts.injected:
        yield "dead letters", f"{facts.injected} open", str(facts.open_letters)
