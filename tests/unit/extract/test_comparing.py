import json
import random
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.execution.contracts import InstrumentTerms, OrdersRequested
from apps.risk.contracts import Limits, LimitsChanged, OrdersApproved, OrdersRefused
from banyan.codec import CodecError, Envelope, encode_envelope, encode_message
from banyan.columns import ints
from banyan.host.delivery import join_events
from banyan.messages import Compared
from banyan.store import Step
from extract.comparator.comparator import KEPT_IN_A_MINUTE_MOST, LATE_NS, Comparator
from extract.comparator.rows import Allowance, compare
from extract.comparator.shapes import SHAPES

RISK, EXECUTION = SHAPES["risk"], SHAPES["execution"]
GOLDEN = Path(__file__).parents[2] / "contract" / "golden"
EURUSD, GBPUSD = "OANDA:EURUSD", "OANDA:GBPUSD"


def approved(rows: list[tuple[int, int, int]], at_ns: int = 5, **fields):
    """Return (account, instrument, steps) as approved."""
    account, instrument, steps = (ints(list(column)) for column in zip(*rows, strict=True))
    return OrdersApproved(
        instruments=[EURUSD, GBPUSD], account=account, instrument=instrument, decision=account, steps=steps,
        at_ns=at_ns, **fields,
    )  # fmt: skip


def refused(account: int, instrument: int, actual: int = 9):
    one = ints([1])
    return OrdersRefused(
        instruments=[EURUSD, GBPUSD], account=ints([account]), instrument=ints([instrument]), decision=ints([account]),
        reason=ints([4]), level=one, bound=one, actual=ints([actual]),
    )  # fmt: skip


def written(*events):
    return [(event.wire_name, encode_message(event)) for event in events]


def kinds(outcome):
    return sorted((each.kind, each.account, each.instrument) for each in outcome.differences)


def test_the_same_rows_in_another_order_are_the_same():
    one, other = [(1, 0, 5), (2, 1, -7)], [(2, 1, -7), (1, 0, 5)]
    outcome = compare(written(approved(one)), written(approved(other)), RISK)
    assert (outcome.matched, outcome.differences) == (2, [])


def test_an_approval_against_a_refusal_is_one_row_that_differs_and_weighs_what_may_not_be_sent():
    terms = [
        InstrumentTerms(
            id=each, currency="USD", tick_e9=10_000, lot_step_e9=10_000_000, lot_min_steps=1, contract_e9=10**14
        )
        for each in (EURUSD, GBPUSD)
    ]
    cause = OrdersRequested(
        set="trend", decided_at_ns=1, terms=terms, bid_ticks=ints([1, 1]), ask_ticks=ints([1, 1]), account=ints([1, 2]),
        instrument=ints([0, 1]), decision=ints([1, 2]), steps=ints([5, -7]), reduce_only=ints([0, 0]),
        step_value_micro=ints([2_000_000, 3_000_000]),
    )  # fmt: skip
    leaders = written(approved([(1, 0, 5), (2, 1, -7)]))
    outcome = compare(leaders, written(approved([(1, 0, 5)]), refused(2, 1)), RISK, cause=cause)
    assert outcome.matched == 1
    [found] = outcome.differences
    assert (found.kind, found.account, found.instrument) == ("mismatched", 2, GBPUSD)
    assert found.fields["event"] == [OrdersApproved.wire_name, OrdersRefused.wire_name]
    assert found.lots == pytest.approx(0.07)
    assert found.money == pytest.approx(21.0)


def requested(steps: int):
    terms = InstrumentTerms(
        id=GBPUSD, currency="USD", tick_e9=10_000, lot_step_e9=10_000_000, lot_min_steps=1, contract_e9=10**14
    )
    one = ints([1])
    return OrdersRequested(
        set="trend", decided_at_ns=1, terms=[terms], bid_ticks=one, ask_ticks=one, account=ints([7]),
        instrument=ints([0]), decision=one, steps=ints([steps]), step_value_micro=ints([3_000_000]), books=["trend"],
        share_order=ints([0, 0, 0]), share_book=ints([0, 0, 0]), share_steps=ints([steps, 0, 0]),
    )  # fmt: skip


def test_orders_that_are_asked_for_differ_by_lots_and_money():
    [found] = compare(written(requested(5)), written(requested(2)), EXECUTION).differences
    assert (found.account, found.instrument) == (7, GBPUSD)
    assert found.fields == {"share_steps": [[5, 0, 0], [2, 0, 0]], "steps": [5, 2]}
    assert (found.lots, found.money) == (pytest.approx(0.03), pytest.approx(9.0))
    [missing] = compare(written(requested(5)), [], EXECUTION).differences
    assert (missing.kind, missing.lots) == ("missing", pytest.approx(0.05))


@pytest.mark.parametrize("context", SHAPES)
def test_every_message_of_a_context_can_be_compared(context):
    import_module(f"apps.{context}.core")
    paths = sorted(GOLDEN.glob(f"{context}.*.json"))
    assert len(paths) >= 9
    for path in paths:
        event = path.stem, path.read_bytes().replace(b'"1152921504606846976"', b"0")  # which is no index
        outcome = compare([event], [event], SHAPES[context])
        assert (outcome.matched > 0, outcome.differences) == (True, []), path.stem


def test_rows_that_one_side_alone_has_are_missing_or_extra():
    outcome = compare(written(approved([(1, 0, 5), (2, 1, 1)])), written(approved([(1, 0, 5), (3, 0, 1)])), RISK)
    assert kinds(outcome) == [("extra", 3, EURUSD), ("missing", 2, GBPUSD)]
    assert outcome.matched == 1


def test_a_column_that_is_an_index_is_read_through():
    one = approved([(1, 0, 5)], step_values_micro=ints([7, 9]), step_value=ints([1]))
    other = approved([(1, 0, 5)], step_values_micro=ints([9]), step_value=ints([0]))
    assert compare(written(one), written(other), RISK).differences == []


def test_an_event_without_columns_is_a_row():
    one, other = (LimitsChanged(limits=Limits(order_steps_max=most), account=4) for most in (5, 6))
    [found] = compare(written(one), written(other), RISK).differences
    assert found.account == 4
    assert found.fields == {"limits": [{"order_steps_max": 5}, {"order_steps_max": 6}]}


def test_what_a_rule_allows_is_counted_under_its_name_and_nothing_else_is_let_through():
    one, other = approved([(1, 0, 5)], at_ns=10), approved([(1, 0, 5)], at_ns=14)
    near, far = (Allowance("clock", OrdersApproved.wire_name, "at_ns", tolerance) for tolerance in (4, 3))
    outcome = compare(written(one), written(other), RISK, [near])
    assert (outcome.differences, dict(outcome.ignored)) == ([], {"clock": 1})
    assert [each.fields for each in compare(written(one), written(other), RISK, [far]).differences] == [
        {"at_ns": [10, 14]}
    ]
    elsewhere = Allowance("clock", "risk.orders-refused.v1", "*")
    assert compare(written(one), written(other), RISK, [elsewhere]).differences
    changed = approved([(1, 0, 6)], at_ns=14)
    assert [set(each.fields) for each in compare(written(one), written(changed), RISK, [near]).differences] == [
        {"steps"}
    ]


ROWS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(0, 1), st.integers(-3, 3)),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[:2],
)


@given(ROWS, ROWS)
def test_every_row_of_either_side_is_matched_or_differs_once(one, other):
    outcome = compare(written(approved(one)), written(approved(other)), RISK)
    ours, theirs = ({row[:2]: row[2] for row in rows} for rows in (one, other))
    assert outcome.matched == sum(ours.get(place) == theirs.get(place) for place in ours | theirs)
    assert outcome.count("mismatched") == sum(ours[place] != theirs[place] for place in ours.keys() & theirs.keys())
    assert outcome.count("missing") == len(ours.keys() - theirs.keys())
    assert outcome.count("extra") == len(theirs.keys() - ours.keys())


# ---- the comparator over many records ----


def told(number: int, events=None, *, problem: str = "", lag_ns: int = 1000, digest: str = "", key: str = "00", **how):
    compared = Compared(
        same=events is None and not problem, cause=f"c{number}", input="execution.orders-requested.v1",
        received_at_ns=10**18, committed_at_ns=10**18 + 500, followed_at_ns=10**18 + 500 + lag_ns, decided_ns=100,
        events=json_of(events or []), problem=problem, digest=digest, **how,
    )  # fmt: skip
    envelope = Envelope(name=Compared.wire_name, id=f"{number}", key=key, sender="risk", sender_key=key, number=number)
    return envelope, encode_message(compared)


def json_of(events):
    return msgspec.Raw(join_events(written(*events)))


def step(number: int, *events) -> Step:
    header = encode_envelope(Envelope(name="banyan.timer-due.v1", id=f"c{number}", key="00"))
    return Step("00", number, 10**18, header, b'{"name":"x","due_ns":1}', join_events(written(*events)))


def test_records_are_counted_by_key_and_minute_and_what_differs_is_kept():
    log = {4: step(4, approved([(1, 0, 5), (2, 0, 1)]))}
    comparator = Comparator("risk", RISK, lambda key, number: log.get(number))
    comparator.take(*told(1))
    comparator.take(*told(2, lag_ns=LATE_NS + 1, digest="same"))
    comparator.take(*told(3, problem="ZeroDivisionError: x", digest="differs"))
    comparator.take(*told(4, [approved([(1, 0, 6), (2, 0, 1)])]))
    counts, reached, found = comparator.taken()
    [each] = counts.values()
    assert (each.same, each.differing, each.late, each.problems) == (2, 2, 1, 1)
    assert (each.matched, each.mismatched, each.digests_same, each.digests_differing) == (1, 1, 1, 1)
    assert (each.leader_ns, each.follower_ns, each.lag_ns_max) == (2000, 400, LATE_NS + 1)
    assert (reached["00"].number, reached["00"].digest, reached["00"].digest_number) == (4, "differs", 3)
    assert [(row.kind, row.number) for row in found] == [("problem", 3), ("mismatched", 4)]
    assert found[1].fields == {"steps": [5, 6]}
    assert comparator.taken() == ({}, {}, [])


def test_what_was_not_compared_moves_the_place_and_counts_for_nothing_else():
    comparator = Comparator("risk", RISK, lambda key, number: None)
    comparator.take(*told(1))
    comparator.take(*told(2, lag_ns=LATE_NS + 1, digest="differs", is_compared=False))
    counts, reached, found = comparator.taken()
    [each] = counts.values()
    assert (each.same, each.differing, each.leader_ns, each.follower_ns) == (1, 0, 500, 100)
    assert (each.late, each.digests_differing) == (1, 1)
    assert (reached["00"].number, found) == (2, [])


def test_a_follower_that_is_always_wrong_takes_bounded_memory():
    many = [(account, 0, 1) for account in range(1, 500)]
    comparator = Comparator("risk", RISK, lambda key, number: step(number, approved(many)))
    for number in range(1, 20):
        comparator.take(*told(number, [approved([(account, 0, 2) for account, _, _ in many])]))
    counts, _, found = comparator.taken()
    assert sum(each.mismatched for each in counts.values()) == 19 * 499
    assert len(found) == KEPT_IN_A_MINUTE_MOST


@given(st.binary(max_size=40), st.integers(0, 2**32))
def test_garbage_is_refused_and_harms_nothing(body, seed):
    comparator = Comparator("risk", RISK, lambda key, number: step(number, approved([(1, 0, 5)])))
    envelope, good = told(1, [approved([(1, 0, 6)])])
    noise = random.Random(seed)
    broken = bytearray(good)
    broken[noise.randrange(len(broken))] = noise.randrange(256)
    for each in (body, bytes(broken)):
        try:
            comparator.take(envelope, each)
        except CodecError:
            continue
    comparator.taken()
    comparator.take(envelope, good)
    assert json.dumps([row.fields for row in comparator.taken()[2]]) == '[{"steps": [5, 6]}]'
