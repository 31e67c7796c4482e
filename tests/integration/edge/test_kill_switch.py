"""The kill switch: a file that holds, a heartbeat without which nothing goes, and the command for people."""

import os
import stat

import pytest

from apps.execution.edge.kill_switch import CentralSwitch, HeardSwitch, KillSwitch, listeners
from banyan.clock import VirtualClock
from tests.commands import Commands

SECOND = 1_000_000_000


@pytest.fixture
def clock():
    return VirtualClock(100 * SECOND)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "switch"


@pytest.fixture
def ear(path, clock):
    made = HeardSwitch(path, clock, name="edge")
    yield made
    made.close()


@pytest.fixture
def central(path, clock):
    return CentralSwitch(path, clock)


def test_nobody_else_can_throw_the_switch_or_say_that_it_is_clear(tmp_path, clock):
    """Whatever the umask of who starts it: sockets in a folder are as closed as the folder."""
    path = tmp_path / "edge" / "kill_switch"
    before = os.umask(0)
    try:
        ear = HeardSwitch(path, clock, name="edge")
        KillSwitch(path).throw("to see the file")
    finally:
        os.umask(before)
    ear.close()
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent, listeners(path))] == [0o600, 0o700, 0o700]


def test_nothing_goes_out_before_the_central_switch_was_heard(ear, central):
    assert not ear.is_clear()
    central.beat()
    assert ear.is_clear()


def test_silence_for_a_second_stops_orders_and_the_next_beat_lets_them_go(ear, central, clock, path):
    central.beat()
    clock.move_to(101 * SECOND)
    assert ear.is_clear()
    clock.move_to(101 * SECOND + 1)
    assert not ear.is_clear()
    assert not path.exists()  # nothing is latched
    central.beat()
    assert ear.is_clear()


def test_a_beat_that_has_lain_unread_proves_nothing(ear, central, clock):
    central.beat()
    clock.move_to(102 * SECOND)
    assert not ear.is_clear()


def test_a_thrown_switch_holds_at_once_and_through_restarts_until_it_is_lifted(ear, central, path, clock):
    central.beat()
    KillSwitch(path).throw("prices look wrong")
    assert not ear.is_clear()
    central.beat()
    assert not ear.is_clear()
    again = HeardSwitch(path, clock, name="another")
    central.beat()
    assert not again.is_clear()
    assert KillSwitch(path).reason() == "prices look wrong"
    assert KillSwitch(path).lift()
    central.beat()
    assert again.is_clear()
    again.close()


def test_a_central_switch_that_cannot_see_its_file_says_nothing(ear, path, clock):
    CentralSwitch(path.parent / "gone" / "switch", clock).beat()
    assert not ear.is_clear()


def test_every_edge_is_told_and_the_dead_are_forgotten(path, clock, central):
    ears = [HeardSwitch(path, clock, name=name) for name in ("one", "two", "three")]
    ears[1]._socket.close()
    central.beat()
    assert [ear.is_clear() for ear in (ears[0], ears[2])] == [True, True]
    assert {each.name for each in listeners(path).iterdir()} == {"one", "three"}
    ears[0].close()
    ears[2].close()


def test_one_that_does_not_read_does_not_keep_the_others_from_hearing(path, clock, central):
    deaf, good = (HeardSwitch(path, clock, name=name) for name in ("deaf", "good"))
    for _ in range(600):
        central.beat()
        assert good.is_clear()
    deaf.close()
    good.close()


def test_a_switch_in_a_deep_folder_is_heard(tmp_path, clock):
    path = tmp_path / ("deep" * 30) / "kill_switch"
    path.parent.mkdir()
    heard = HeardSwitch(path, clock, name="edge")
    assert not heard.is_clear()
    CentralSwitch(path, clock).beat()
    assert heard.is_clear()
    heard.close()
    assert list(listeners(path).iterdir()) == []


def test_people_throw_and_lift_it_without_a_database(tmp_path):
    commands = Commands(
        {
            **os.environ, "BANYAN_DATA_DIR": str(tmp_path), "DATABASE_URL": "postgresql:///none?host=/nonexistent",
            "DJANGO_SETTINGS_MODULE": "settings.dev",
        }
    )  # fmt: skip

    def run(*arguments):
        return commands.run("kill_switch", *arguments)

    assert "SILENT" in run("status").stdout
    assert run("throw").returncode != 0
    assert run("throw", "--reason", "drill").returncode == 0
    assert "THROWN: drill" in run("status").stdout
    assert "lifted" in run("lift").stdout
    assert "not been thrown" in run("lift").stdout
    commands.end()
