"""What must hold of orders: how much, whether at all, how they end, and until when. For what each yields, see Found."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from apps.audit.facts import Facts, Order, Told
from apps.execution.contracts import ReportKind

Found = Iterator[tuple[str, str, str]]


def not_more_than_approved(facts: Facts) -> Found:
    """Yield orders of which the broker, or execution's books, have more than risk approved."""
    traded: Counter[Order] = Counter()
    for trade in facts.trades:
        if trade.order is not None:
            traded[trade.order] += trade.steps
    booked: Counter[Order] = Counter()
    for told in facts.told:
        if told.what == "filled":
            booked[told.order] += told.steps
    for where, executed in (("executed", traded), ("booked", booked)):
        for order, steps in executed.items():
            if facts.restored_ns and order not in facts.approved and order in facts.recalled | facts.adopted:
                continue  # whoever approved it was restored to an earlier time, and has taken it back
            most = facts.approved.get(order, 0)
            if steps * most < 0 or abs(steps) > abs(most):
                yield str(order), f"at most {most:+} steps {where}", f"{steps:+}"


def all_ended(facts: Facts) -> Found:
    """Yield accounts that no target was answered for, and orders that hang between states."""
    for each in facts.unanswered:
        about = f"set {each.set}, version {each.version}, {each.instrument}, account {each.account}"
        yield about, "a new working quantity or a reason for none", "nothing"
    ended = {told.order for told in facts.told if told.what == "ended"}
    full = {told.order for told in facts.told if told.what == "filled" and told.left == 0}
    resting = {each.order for each in facts.placed if each.is_working}
    for order in facts.requested:
        known = facts.open.get(order)
        if known is None and order not in ended and order not in full:
            yield str(order), "filled, ended or unknown", "forgotten"
        elif known is not None and not known.is_unknown and order not in resting:
            yield str(order), "filled, ended or unknown", f"still open with {known.left:+} steps left"


def nothing_unapproved(facts: Facts) -> Found:
    """Yield orders that were sent, or are at the broker, without what has to come before."""
    sent: dict[Order, int] = {}
    for row in facts.sent:
        if row.code:
            continue
        if row.order in sent:
            yield str(row.order), "SENT once", "SENT again"
        sent[row.order] = row.steps
        if not row.is_queried:
            yield from _not_before(facts, row.order, row.steps)
    for order, times in facts.released.items():
        if times > 1:
            yield str(order), "released to the edge once", f"{times} times"
    yield from _unknown_to_the_ledger(facts, sent)


def _not_before(facts: Facts, order: Order, steps: int) -> Found:
    if facts.approved.get(order) != steps:
        yield str(order), f"an approval of {steps:+} steps before it was SENT", f"{facts.approved.get(order, 0):+}"
    elif order not in facts.released and not (facts.restored_ns and order in facts.adopted):
        yield str(order), "released by execution before it was SENT", "it was not"


def _unknown_to_the_ledger(facts: Facts, sent: dict[Order, int]) -> Found:
    arrived: Counter[Order] = Counter()
    for placed in facts.placed:
        if placed.order is None:
            continue
        arrived[placed.order] += not placed.is_rejected
        is_recalled = placed.order in facts.recalled and placed.at_ns <= facts.restored_ns
        if placed.order not in sent and not is_recalled:
            yield str(placed.order), "SENT in the edge's ledger before it reached the broker", "not in the ledger"
        elif placed.order in sent and sent[placed.order] != placed.steps:
            yield str(placed.order), f"{sent[placed.order]:+} steps at the broker", f"{placed.steps:+}"
        if placed.order in facts.unwritten:
            yield str(placed.order), "never written, as the edge has said", "it is at the broker"
    for order, times in arrived.items():
        if times > 1:
            yield str(order), "one order at the broker", str(times)


def ends_are_final(facts: Facts) -> Found:
    """Yield orders that went on after their end, or whose end was not true."""
    ends: dict[Order, Told] = {}
    filled: defaultdict[Order, int] = defaultdict(int)
    for told in facts.told:
        before = ends.get(told.order)
        if told.what == "filled":
            filled[told.order] += told.steps
            if before is not None and before.what == "filled":
                yield str(told.order), "nothing after it was filled", f"another fill of {told.steps:+} steps"
        elif before is not None:
            yield str(told.order), f"nothing after {_named(before)}", _named(told)
        if told.what == "ended" or (told.what == "filled" and told.left == 0 and before is None):
            ends[told.order] = told
    arrived = {each.order: each for each in facts.placed if each.order is not None and not each.is_rejected}
    for order in facts.never_arrived & arrived.keys():
        yield str(order), "absent from the broker's ledger, since it never arrived", "it is there"


def _named(told: Told) -> str:
    return ReportKind(told.kind).name if told.what == "ended" else told.what


def nothing_late(facts: Facts) -> Found:
    """Yield orders that were sent after their deadline, or while new orders were stopped."""
    sent = {}
    for row in facts.sent:
        if row.code == 0 and not row.is_queried:
            sent[row.order] = row
            if row.at_ns >= row.deadline_ns:
                yield str(row.order), "SENT before its deadline", f"{(row.at_ns - row.deadline_ns) / 1e9:.3f} s after"
    for placed in facts.placed:
        line = sent.get(placed.order) if placed.order is not None else None
        if line is None or placed.is_rejected:
            continue
        if placed.at_ns > line.deadline_ns:
            late = (placed.at_ns - line.deadline_ns) / 1e9
            yield str(line.order), "refused by the broker after its deadline", f"accepted {late:.3f} s after"
        if facts.thrown_ns is not None and line.at_ns > facts.thrown_ns and not line.reduce_only:
            after = (line.at_ns - facts.thrown_ns) / 1e9
            yield str(line.order), "nothing new sent after the kill switch", f"sent {after:.3f} s after"
