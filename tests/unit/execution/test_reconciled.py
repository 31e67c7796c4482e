"""What is booked where a broker holds something else than what our fills come to."""

from hypothesis import given
from hypothesis import strategies as st

from apps.execution.book_contracts import Booking, LotsBooked
from tests.unit.execution.desk import EURUSD, GOLD, Desk, of_type

ACCOUNTS = (7, 3, 12)
NAMES = ("EURUSD", "GOLD", "AN_UNKNOWN_ONE")
HELD = st.dictionaries(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(ACCOUNTS), st.integers(-3, 3)))


@given(st.lists(st.tuples(st.sets(st.sampled_from(ACCOUNTS), min_size=1), HELD), min_size=1, max_size=6))
def test_what_is_booked_makes_each_account_that_is_told_of_hold_what_its_broker_says(told):
    desk = Desk()
    desk.open(*ACCOUNTS, ready=False)
    desk.configure("trend", GOLD, EURUSD)
    known: dict[tuple[int, str], int] = {}
    for numbers, held in told:
        says = {(number, "SIM:" + name): steps for name, each in held.items() for number, steps in each.items()}
        says = {key: steps for key, steps in says.items() if key[0] in numbers}
        ours = {key: steps for key, steps in known.items() if key[0] in numbers}
        wanted = sorted((key, says.get(key, 0) - ours.get(key, 0)) for key in {*says, *ours})
        wanted = [(key, steps) for key, steps in wanted if steps]
        found = [
            ((number, each.instruments[place]), steps)
            for each in of_type(desk.reconcile(*numbers, **held), LotsBooked)
            for number, place, steps in zip(
                each.account.tolist(), each.instrument.tolist() or [0] * each.account.size, each.steps.tolist(),
                strict=True,
            )
            if each.kind == Booking.RECONCILED
        ]  # fmt: skip
        assert found == wanted
        known = {key: steps for key, steps in known.items() if key[0] not in numbers} | says
