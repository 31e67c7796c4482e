"""What must hold of orders: how much, whether at all, how they end, and until when. For what each yields, see Found."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from apps.audit.facts import Facts, What
from apps.audit.index import Orders
from apps.execution.contracts import ReportKind
from banyan.columns import Ints

Found = Iterator[tuple[str, str, str]]


def not_more_than_approved(facts: Facts, orders: Orders) -> Found:
    """Yield orders of which the broker, or execution's books, have more than risk approved."""
    is_fill = facts.told["what"] == What.FILLED
    most = orders.last("approved", "steps")
    for where, executed in (
        ("executed", orders.sum("trades", "steps")),
        ("booked", orders.sum("told", "steps", is_fill)),
    ):
        is_more = (np.sign(executed) * np.sign(most) < 0) | (np.abs(executed) > np.abs(most))
        for order in np.flatnonzero(is_more & ~orders.restored).tolist():
            yield orders.name(order), f"at most {most[order]:+} steps {where}", f"{executed[order]:+}"


def all_ended(facts: Facts, orders: Orders) -> Found:
    """Yield accounts that no target was answered for, and orders that hang between states."""
    for each in facts.unanswered:
        about = f"set {each.set}, version {each.version}, {each.instrument}, account {each.account}"
        yield about, "a new working quantity or a reason for none", "nothing"
    what = facts.told["what"]
    is_over = orders.some("told", (what == What.ENDED) | ((what == What.FILLED) & (facts.told["left"] == 0)))
    is_resting = orders.some("placed", facts.placed["is_working"] != 0)
    is_requested, is_open = orders.has("requested"), orders.has("open")
    for order in np.flatnonzero(is_requested & ~is_open & ~is_over).tolist():
        yield orders.name(order), "filled, ended or unknown", "forgotten"
    left, is_unknown = orders.last("open", "left"), orders.last("open", "is_unknown") != 0
    for order in np.flatnonzero(is_requested & is_open & ~is_unknown & ~is_resting).tolist():
        yield orders.name(order), "filled, ended or unknown", f"still open with {left[order]:+} steps left"


def nothing_unapproved(facts: Facts, orders: Orders) -> Found:
    """Yield orders that were sent, or are at the broker, without what has to come before."""
    is_sent = facts.sent["code"] == 0
    times = np.bincount(orders.of["sent"][is_sent], minlength=orders.count)
    for order in np.flatnonzero(times > 1).tolist():
        yield orders.name(order), "SENT once", "SENT again"
    yield from _not_before(facts, orders, is_sent & (facts.sent["is_queried"] == 0))
    released = orders.times("released")
    for order in np.flatnonzero(released > 1).tolist():
        yield orders.name(order), "released to the edge once", f"{released[order]} times"
    yield from _unknown_to_the_ledger(facts, orders, times > 0, orders.last("sent", "steps", is_sent))


def _not_before(facts: Facts, orders: Orders, chosen: NDArray[np.bool_]) -> Found:
    of, steps = orders.of["sent"][chosen], facts.sent["steps"][chosen]
    approved = orders.last("approved", "steps")[of]
    is_other = ~orders.has("approved")[of] | (approved != steps)
    for row in np.flatnonzero(is_other).tolist():
        yield orders.name(of[row]), f"an approval of {steps[row]:+} steps before it was SENT", f"{approved[row]:+}"
    is_released = orders.has("released")[of]
    if facts.restored_ns:
        is_released = is_released | orders.has("adopted")[of]
    for row in np.flatnonzero(~is_other & ~is_released).tolist():
        yield orders.name(of[row]), "released by execution before it was SENT", "it was not"


def _unknown_to_the_ledger(facts: Facts, orders: Orders, is_sent: NDArray[np.bool_], sent: Ints) -> Found:
    placed, of = facts.placed, orders.of["placed"]
    ours = np.flatnonzero(of >= 0)
    order, steps = of[ours], placed["steps"][ours]
    is_recalled = orders.has("recalled")[order] & (placed["at_ns"][ours] <= facts.restored_ns)
    for row in np.flatnonzero(~is_sent[order] & ~is_recalled).tolist():
        yield orders.name(order[row]), "SENT in the edge's ledger before it reached the broker", "not in the ledger"
    for row in np.flatnonzero(is_sent[order] & (sent[order] != steps)).tolist():
        yield orders.name(order[row]), f"{sent[order[row]]:+} steps at the broker", f"{steps[row]:+}"
    is_unwritten = orders.has("unwritten") & orders.some("sent", _sent_for_real(facts))
    for row in np.flatnonzero(is_unwritten[order]).tolist():
        yield orders.name(order[row]), "never written, as the edge has said", "it is at the broker"
    arrived = np.bincount(order[placed["is_rejected"][ours] == 0], minlength=orders.count)
    for each in np.flatnonzero(arrived > 1).tolist():
        yield orders.name(each), "one order at the broker", str(arrived[each])


def ends_are_final(facts: Facts, orders: Orders) -> Found:
    """Yield orders that went on after their end, or whose end was not true."""
    by_order = np.argsort(orders.of["told"], kind="stable")
    of, what = orders.of["told"][by_order], facts.told["what"][by_order]
    is_fill, is_end = what == What.FILLED, what == What.ENDED
    ends, all_filled = _before(of, is_end), _before(of, is_fill & (facts.told["left"][by_order] == 0))
    for row in np.flatnonzero(is_fill & (ends == 0) & (all_filled > 0)).tolist():
        steps = int(facts.told["steps"][by_order[row]])
        yield orders.name(of[row]), "nothing after it was filled", f"another fill of {steps:+} steps"
    for row in np.flatnonzero(~is_fill & ((ends > 0) | (all_filled > 0))).tolist():
        last = row - 1
        while ends[row] and not is_end[last]:
            last -= 1
        before = _named(facts, int(by_order[last])) if ends[row] else "filled"
        yield orders.name(of[row]), f"nothing after {before}", _named(facts, int(by_order[row]))
    is_there = orders.some("placed", facts.placed["is_rejected"] == 0)
    for order in np.flatnonzero(orders.has("never_arrived") & is_there).tolist():
        yield orders.name(order), "absent from the broker's ledger, since it never arrived", "it is there"


def _before(of: Ints, chosen: NDArray[np.bool_]) -> Ints:
    """Return how many chosen rows of the same order come before each; rows stand by their orders."""
    total: Ints = np.cumsum(chosen) - chosen
    begins = np.flatnonzero(np.diff(of, prepend=-1))
    counts: Ints = total - np.repeat(total[begins], np.diff(begins, append=of.size))
    return counts


def _named(facts: Facts, row: int) -> str:
    what = What(facts.told["what"][row])
    return ReportKind(facts.told["kind"][row]).name if what is What.ENDED else what.name.lower()


def nothing_late(facts: Facts, orders: Orders) -> Found:
    """Yield orders that were sent after their deadline, or while new orders were stopped."""
    chosen = _sent_for_real(facts)
    of, at_ns, deadline_ns = orders.of["sent"][chosen], facts.sent["at_ns"][chosen], facts.sent["deadline_ns"][chosen]
    for row in np.flatnonzero(at_ns >= deadline_ns).tolist():
        after = f"{(at_ns[row] - deadline_ns[row]) / 1e9:.3f} s after"
        yield orders.name(of[row]), "SENT before its deadline", after
    is_sent = orders.some("sent", chosen)
    at, due, reduces = (orders.last("sent", name, chosen) for name in ("at_ns", "deadline_ns", "reduce_only"))
    placed = facts.placed
    rows = np.flatnonzero((orders.of["placed"] >= 0) & (placed["is_rejected"] == 0))
    rows = rows[is_sent[orders.of["placed"][rows]]]
    order, taken_ns = orders.of["placed"][rows], placed["at_ns"][rows]
    for row in np.flatnonzero(taken_ns > due[order]).tolist():
        late = (taken_ns[row] - due[order[row]]) / 1e9
        yield orders.name(order[row]), "refused by the broker after its deadline", f"accepted {late:.3f} s after"
    if facts.thrown_ns is None:
        return
    for each in order[(at[order] > facts.thrown_ns) & (reduces[order] == 0)].tolist():
        after = f"sent {(at[each] - facts.thrown_ns) / 1e9:.3f} s after"
        yield orders.name(each), "nothing new sent after the kill switch", after


def _sent_for_real(facts: Facts) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = (facts.sent["code"] == 0) & (facts.sent["is_queried"] == 0)
    return chosen
