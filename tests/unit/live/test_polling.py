from hypothesis import given
from hypothesis import strategies as st

from banyan.host.polling import Polling

EVERY_NS = 1_000_000_000
QUIET_NS = 5_000_000
KEYS = ["a", "b", "c", "d"]


def test_keys_have_their_turns_spread_over_the_time_between_two():
    polling = Polling(EVERY_NS)
    turns = {}
    for now_ns in range(0, 2 * EVERY_NS, EVERY_NS // 100):
        for key in polling.due(KEYS, now_ns, worked_ns=-EVERY_NS):
            turns.setdefault(key, []).append(now_ns)
    assert turns == {key: [place * EVERY_NS // 4, place * EVERY_NS // 4 + EVERY_NS] for place, key in enumerate(KEYS)}


def test_a_turn_waits_for_a_moment_in_which_nothing_is_done_but_not_longer_than_once_more():
    polling = Polling(EVERY_NS)
    assert polling.due(["a"], 0, worked_ns=-EVERY_NS) == ["a"]
    busy_ns = EVERY_NS + 1
    assert polling.due(["a"], busy_ns, worked_ns=busy_ns - 1) == []
    assert polling.next_ns(busy_ns - 1) == busy_ns - 1 + QUIET_NS, "it is looked at again then"
    assert polling.due(["a"], busy_ns + QUIET_NS, worked_ns=busy_ns - 1) == ["a"]
    always_busy_ns = busy_ns + QUIET_NS + 2 * EVERY_NS
    assert polling.due(["a"], always_busy_ns, worked_ns=always_busy_ns) == ["a"]


@given(st.lists(st.tuples(st.integers(1, EVERY_NS // 2), st.booleans()), min_size=1, max_size=60))
def test_no_key_waits_longer_than_twice_its_time_and_who_comes_when_it_is_told_finds_a_turn(steps):
    polling, now_ns, worked_ns, last = Polling(EVERY_NS), 0, -EVERY_NS, dict.fromkeys(KEYS, 0)
    for step_ns, works in steps:
        now_ns += min(step_ns, max(1, polling.next_ns(worked_ns) - now_ns))
        worked_ns = now_ns if works else worked_ns
        is_turn = now_ns >= polling.next_ns(worked_ns)
        due = polling.due(KEYS, now_ns, worked_ns)
        assert is_turn or not due or set(last.values()) == {0}
        last |= dict.fromkeys(due, now_ns)
        assert all(now_ns - at_ns <= 2 * EVERY_NS + 1 for at_ns in last.values())
