"""Notices to processes beside this one: past the server where they can be reached so, by the server where not."""

import socket
import tempfile

import pytest

from banyan.store import Notice, Store
from banyan.store.nearby import Nearby

pytestmark = pytest.mark.django_db(transaction=True, databases=["risk"])
NOTICES = [Notice("execution", [f"{number:02d}"]) for number in range(40)]


def listening():
    store = Store("risk")
    assert store.woken(0.0) == []
    return store


@pytest.fixture
def heard(transactional_db):
    """Return what a listener hears of notices, in at most so many looks."""
    opened = []

    def hear(listener, looks):
        return [notice for _ in range(looks) for notice in listener.woken(10.0)]

    hear.open = lambda: opened.append(listening()) or opened[-1]
    yield hear
    for each in opened:
        each.connection.execute("SELECT pg_advisory_unlock_all()")  # now, not when the server notices that it is gone
        each.close()


@pytest.fixture
def teller(transactional_db):
    store = Store("risk")
    yield store
    store.close()


def test_who_listens_on_the_same_machine_is_told_past_the_server(heard, teller):
    listener = heard.open()
    listener.connection.execute("UNLISTEN *")
    teller.wake(NOTICES[:3])
    assert listener.is_woken()
    assert heard(listener, 1) == NOTICES[:3]
    assert not listener.is_woken()


def test_who_listens_where_no_socket_is_shared_is_told_by_the_server(heard, teller, monkeypatch, tmp_path):
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(tempfile, "tempdir", str(tmp_path))
        far = heard.open()
    near = heard.open()
    teller.wake(NOTICES[:1])
    assert heard(far, 1) == NOTICES[:1]
    assert heard(near, 1)[:1] == NOTICES[:1]


def test_who_tells_where_no_socket_is_shared_tells_by_the_server(heard, teller, monkeypatch, tmp_path):
    near = heard.open()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    teller.wake(NOTICES[:1])
    assert heard(near, 1) == NOTICES[:1]


def test_where_a_socket_is_full_the_server_tells_the_rest(heard, teller):
    listener = heard.open()
    teller.wake(NOTICES)
    found = []
    while len(found) < len(NOTICES):
        said = listener.woken(10.0)
        assert said, "some notices were lost"
        found += said
    assert found == NOTICES


def test_the_socket_of_a_process_that_was_killed_is_taken_away(teller):
    nearby = Nearby(teller.connection)
    path = nearby._folder / "killed"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as killed:
        killed.bind(str(path))
    assert path.exists()
    assert nearby.tell([b"1"]) == 1
    assert not path.exists()
    nearby.close()


def test_a_socket_that_somebody_has_removed_is_made_again(heard, teller):
    listener = heard.open()
    listener._nearby._path.unlink()
    assert listener.woken(0.0) == []
    listener.connection.execute("UNLISTEN *")
    teller.wake(NOTICES[:1])
    assert heard(listener, 1) == NOTICES[:1]
