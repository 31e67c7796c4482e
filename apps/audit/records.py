"""What must hold of logs, streams and dead letters. For what each yields, see Found of the invariants."""

from collections.abc import Iterator

import numpy as np

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
    """Yield rows that are about an account of another shard, and trades of an account other than their order's."""
    for stray in facts.strays:
        about = f"{stray.context}/{stray.key}, record {stray.number}"
        yield about, "accounts of this shard only", f"account {stray.account}"
    trades = facts.trades
    is_other = (trades["account"] != trades["of_account"]) | (trades["instrument"] != trades["of_instrument"])
    for row in np.flatnonzero((orders.of["trades"] >= 0) & is_other).tolist():
        whose = f"one of account {trades['of_account'][row]}, {facts.names[int(trades['of_instrument'][row])]}"
        yield orders.name(orders.of["trades"][row]), "a fill of its own account", whose


def poison_is_put_aside(facts: Facts, _: Orders) -> Found:
    """Yield dead letters that the log does not tell of, or that are not there, or that nobody has asked for."""
    for each in sorted(facts.parked.keys() | facts.dead_letters.keys()):
        told, kept = facts.parked[each], facts.dead_letters[each]
        if told != kept:
            yield f"{each.context}/{each.key}, record {each.number}", f"{told} dead letters", str(kept)
    if facts.open_letters != facts.injected:
        yield "dead letters", f"{facts.injected} open", str(facts.open_letters)
