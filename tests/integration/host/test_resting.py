import pytest

from banyan.host import HostSettings
from banyan.models import Log, Request
from banyan.transport import Command, ask
from tests.integration.host.tally import IDLE, Add, Remind

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk"])
REST_NS = 10_000_000


@pytest.fixture
def resting(pair):
    pair.settings = HostSettings(rest_seconds=REST_NS / 1e9)
    pair.restart()
    pair.settle()
    return pair


def say(pair, number, key):
    message = Add(number=number)
    pair.execution.offer([pair.delivery(message, key)._replace(message=message)])


def numbers(pair, key):
    return pair.state(key)["numbers"]


def committed_at(key):
    return set(Log.objects.using("execution").filter(key=key).values_list("written_at", flat=True))


def pass_time(pair, ns):
    pair.clock.move_to(pair.clock.wall_ns() + ns)


def test_what_nobody_waits_for_is_applied_after_what_somebody_does(resting):
    say(resting, IDLE, "a")
    say(resting, 5, "b")
    assert resting.execution.step()
    assert (numbers(resting, "a"), numbers(resting, "b")) == ([], [5])
    assert not resting.execution.step()
    assert not resting.execution.is_quiet()
    assert resting.execution.idle_seconds() == pytest.approx(REST_NS / 1e9)
    pass_time(resting, REST_NS)
    resting.settle()
    assert numbers(resting, "a") == [IDLE]


def test_a_rest_begins_when_what_came_before_is_done(resting):
    say(resting, IDLE, "a")
    say(resting, 5, "b")
    commit = resting.execution.store.commit

    def slow(batch):
        pass_time(resting, 2 * REST_NS)
        return commit(batch)

    resting.execution.store.commit = slow
    assert resting.execution.step()
    assert not resting.execution.step()
    assert numbers(resting, "a") == []


def test_what_rests_waits_for_others_of_the_system_too(resting):
    say(resting, IDLE, "a")
    assert not resting.execution.step()
    pass_time(resting, REST_NS // 2)
    resting.execution.road.use()
    pass_time(resting, REST_NS // 2)
    assert not resting.execution.step()
    pass_time(resting, REST_NS // 2)
    assert resting.execution.step()
    assert numbers(resting, "a") == [IDLE]


def test_what_rests_is_committed_together(resting):
    for _ in range(3):
        say(resting, IDLE, "a")
        say(resting, 1, "b")
        resting.execution.step()
    assert (numbers(resting, "a"), numbers(resting, "b")) == ([], [1, 1, 1])
    pass_time(resting, REST_NS)
    resting.settle()
    assert numbers(resting, "a") == [IDLE] * 3
    assert (len(committed_at("a")), len(committed_at("b"))) == (1, 3)


def test_what_comes_first_is_applied_first_where_something_urgent_follows(resting):
    say(resting, IDLE, "a")
    assert not resting.execution.step()
    say(resting, 7, "a")
    assert resting.execution.step()
    assert numbers(resting, "a") == [IDLE, 7]


def test_a_command_is_not_kept_waiting_by_what_rests_before_it(resting):
    say(resting, IDLE, "a")
    assert not resting.execution.step()
    ask(resting.execution.store, [Command("a", Add(number=3), "mine")], resting.clock.wall_ns())
    resting.execution.look_for([("", "a")])
    assert resting.execution.step()
    assert numbers(resting, "a") == [IDLE, 3]
    assert not Request.objects.using("execution").exists()


def test_a_host_that_is_never_idle_comes_to_what_rests_all_the_same(resting):
    say(resting, IDLE, "a")
    for count in range(1, 100):
        say(resting, count, "b")
        resting.execution.step()
        if numbers(resting, "a"):
            break
        pass_time(resting, REST_NS // 2)
    assert count == 21  # after 10 times as long as it rests where there is nothing else


def test_a_timer_wakes_a_key_that_rests(resting):
    due_ns = resting.clock.wall_ns() + REST_NS // 2
    message = Remind(at_ns=due_ns)
    resting.execution.offer([resting.delivery(message)._replace(message=message)])
    resting.execution.step()
    say(resting, IDLE, "a")
    assert not resting.execution.step()
    pass_time(resting, REST_NS // 2)
    assert resting.execution.step()
    assert numbers(resting, "a") == [IDLE]


def test_nothing_rests_when_a_host_ends(resting):
    say(resting, IDLE, "a")
    assert not resting.execution.step()
    resting.execution.close()
    assert Log.objects.using("execution").filter(key="a").count() == 1


def test_the_road_is_jammed_where_inputs_pile_up_with_a_key_and_not_where_they_rest(resting):
    for _ in range(40):
        say(resting, IDLE, "a")
    for number in range(31):
        say(resting, number, "b")
    assert resting.execution.step()
    assert not resting.execution.road.is_jammed()
    for number in range(32):
        say(resting, number, "b")
    assert resting.execution.step()
    assert resting.execution.road.is_jammed()
    assert len(numbers(resting, "b")) == 63
