"""The life of an order, walked at random through reports."""

from hypothesis import given
from hypothesis import strategies as st

from apps.execution.book_contracts import SettingLevel, SkipReason
from apps.execution.contracts import ReportKind
from apps.execution.kernels import reasons
from apps.execution.order_states import TERMINAL, OrderState, state_after, transitions

# What may follow what, as the matrices of FIX 4.4 (volume 4, appendix D: A1 to A3, B1, D, H, I) have it for a venue's
# execution reports, with our own states around them.
LEGAL = {
    OrderState.REQUESTED: {OrderState.DENIED},
    OrderState.PENDING_NEW: {
        OrderState.NEW,
        OrderState.PARTIALLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
        OrderState.DENIED,
        OrderState.UNKNOWN,
    },
    OrderState.NEW: {
        OrderState.PARTIALLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
        OrderState.UNKNOWN,
    },
    OrderState.PARTIALLY_FILLED: {
        OrderState.PARTIALLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
        OrderState.UNKNOWN,
    },
    OrderState.UNKNOWN: {
        OrderState.NEW,
        OrderState.PARTIALLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
        OrderState.DENIED,
    },
}


@given(
    st.sampled_from((OrderState.REQUESTED, OrderState.PENDING_NEW)),
    st.lists(st.tuples(st.sampled_from(ReportKind), st.integers(1, 4))),
)
def test_a_walk_of_reports_only_takes_steps_of_the_fix_matrices(
    first: OrderState, reports: list[tuple[ReportKind, int]]
) -> None:
    state, left, is_partly_filled = first, 10, False
    for kind, steps in reports:
        rest = max(0, left - steps) if kind == ReportKind.FILLED else left
        after = state_after(state, kind, is_partly_filled=is_partly_filled, left_steps=rest)
        if after is None:
            continue
        assert state not in TERMINAL
        assert after in LEGAL[state]
        state = after
        if kind == ReportKind.FILLED:
            left, is_partly_filled = rest, True
        assert (state == OrderState.FILLED) == (left == 0)
        assert state != OrderState.NEW or not is_partly_filled


def test_every_legal_step_can_be_taken() -> None:
    table = transitions()
    for state, followers in LEGAL.items():
        assert {OrderState(after) for after in set(table[state].ravel().tolist()) if after >= 0} == followers
    for state in TERMINAL:
        assert (table[state] == -1).all()


def test_the_numbers_that_kernels_know_are_those_of_the_contracts() -> None:
    for name, number in vars(reasons).items():
        if name.startswith("__") or name == "STATE_LAST_OPEN":
            continue
        if name.startswith("STATE_"):
            assert OrderState[name.removeprefix("STATE_")] == number
        elif name.startswith("OF_"):
            assert SettingLevel[name.removeprefix("OF_").replace("NOTHING", "NONE")] == number
        elif name in ("ACCEPTED", "FILLED", "UNKNOWN"):
            assert ReportKind[name] == number
        else:
            assert SkipReason[name] == number
    assert max(OrderState) == OrderState.DENIED
    assert all(state <= reasons.STATE_LAST_OPEN for state in OrderState if state not in TERMINAL)
