from hypothesis import given
from hypothesis import strategies as st

from banyan.process.watchdog import Limits, Restarts, Sight, Throttle, Watchdog

LIMITS = Limits(memory_mb=100, failures_max=3, window_seconds=600.0)
IN_A_CALL, BETWEEN_CALLS = 7, 8


def sight(at: float, count: int = BETWEEN_CALLS, megabytes: float = 50.0) -> Sight:
    return Sight(at, count, 10.0, "/srv/mine.py:12", megabytes)


def complaints(*sights: Sight, held: frozenset[float] = frozenset()) -> list[str]:
    watchdog = Watchdog(LIMITS, begun_mb=50.0)
    return [watchdog.look(each, ran=each.at not in held) for each in sights]


def test_a_call_that_does_not_return_in_its_time_is_complained_of_with_its_place():
    said = complaints(*(sight(float(at), IN_A_CALL) for at in range(12)))
    assert said[:11] == [""] * 11
    assert said[11] == "/srv/mine.py:12 has not returned for 10 s"


def test_calls_that_return_are_no_hang_however_many_there_are():
    assert not any(complaints(*(sight(at * 9.0, count=2 * at + 1) for at in range(50))))


def test_a_process_that_waits_for_its_next_bar_is_no_hang():
    assert not any(complaints(*(sight(at * 100.0) for at in range(50))))


def test_time_in_which_a_process_was_held_back_does_not_count_against_its_call():
    sights = [sight(float(at), IN_A_CALL) for at in range(30)]
    assert not any(complaints(*sights, held=frozenset(float(at) for at in range(5, 30))))


def test_memory_beyond_the_limit_is_complained_of_and_what_it_began_with_does_not_count():
    assert complaints(sight(0.0, megabytes=150.0)) == [""]
    (said,) = complaints(sight(0.0, megabytes=151.0))
    assert said == "it took 101 MB of memory, it may take 100, /srv/mine.py:12 ran last"


@given(st.lists(st.floats(0.0, 1.0), min_size=50, max_size=200), st.floats(0.05, 1.0))
def test_whatever_a_process_would_use_it_gets_its_share_and_a_second_saved_up(appetite: list[float], share: float):
    throttle, cpu_seconds, used = Throttle(share), 3.0, 0.0
    may_run = throttle.may_run(100.0, cpu_seconds)
    for second, wanted in enumerate(appetite, 1):
        used += wanted if may_run else 0.0
        may_run = throttle.may_run(100.0 + second, cpu_seconds + used)
        assert used <= share * second + 2.0


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=100))
def test_a_process_that_stays_below_its_share_is_never_held_back(appetite: list[float]):
    throttle, used = Throttle(0.3), 0.0
    for second, wanted in enumerate(appetite):
        used += wanted
        assert throttle.may_run(float(second + 1), used - wanted)


def test_the_third_failure_within_the_window_is_the_last():
    restarts = Restarts(LIMITS)
    assert restarts.after(0.0, is_own_fault=True) is not None
    assert restarts.after(300.0, is_own_fault=True) is not None
    assert restarts.after(599.0, is_own_fault=True) is None


def test_a_failure_is_forgotten_after_the_window():
    restarts = Restarts(LIMITS)
    assert all(restarts.after(at * 301.0, is_own_fault=True) is not None for at in range(100))


@given(st.lists(st.floats(0.0, 100.0), max_size=50))
def test_what_somebody_else_has_killed_is_always_started_again(pauses: list[float]):
    restarts, at = Restarts(LIMITS), 0.0
    for pause in pauses:
        at += pause
        assert restarts.after(at, is_own_fault=False) is not None


def test_a_process_that_ends_again_and_again_is_started_ever_later_and_at_once_after_a_calm():
    restarts = Restarts(LIMITS)
    pauses = [restarts.after(float(at), is_own_fault=False) for at in range(8)]
    assert pauses == [0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0]
    assert restarts.after(100.0, is_own_fault=False) == 0.0
