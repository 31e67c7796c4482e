"""What pages say while a database is away: in words what is missing, and the rest of what they are about."""

from contextlib import contextmanager

import psycopg
import pytest
from django.db import OperationalError, connections
from django.urls import reverse

import banyan.store.store
from banyan import store
from tests.integration.console.conftest import ALL
from tests.integration.console.test_access import ARGUMENTS
from tests.integration.console.test_access import TABLE as CONSOLE

pytestmark = pytest.mark.django_db(databases=ALL)
REASON = "connection to server on socket failed: No such file or directory"
BOARD = ("extraction", "extraction-context", "extraction-plan", "extraction-noise")
ASKED = sorted({*CONSOLE, *BOARD} - {"stream", "sign-in", "sign-out", "act"})
OF_BOARD = {name: ["risk"] for name in BOARD[1:]}


@pytest.fixture
def away(monkeypatch):
    """Takes the database of a context away for a while, from Django and from connections of its own."""

    @contextmanager
    def taken(alias):
        def no_cursor(*_, **__):
            raise OperationalError(REASON)

        def connect(name):
            if name == alias:
                raise psycopg.OperationalError(REASON)
            return store.connect(name)

        with monkeypatch.context() as patch:
            patch.setattr(connections[alias], "cursor", no_cursor)
            patch.setattr(connections[alias], "chunked_cursor", no_cursor)
            patch.setattr(banyan.store.store, "connect", connect)
            yield

    return taken


def address(name):
    return reverse(name, args=ARGUMENTS.get(name) or OF_BOARD.get(name))


def test_every_page_says_in_words_that_a_database_is_away(client, people, kill_switch, away):
    client.force_login(people["operator"])
    before = {name: client.get(address(name)).status_code for name in ASKED}
    silent = set()
    for alias in (each for each in ALL if each != "default"):
        with away(alias):
            for name in ASKED:
                answer = client.get(address(name))
                assert answer.status_code in (before[name], 503), (alias, name)
                if answer.status_code == 503:
                    assert "cannot be asked" in answer.text, (alias, name)
                if "cannot be asked" in answer.text:
                    assert "No such file or directory" in answer.text, (alias, name)
                    silent.add((alias, name))
    assert {("risk", "risk"), ("risk", "limits"), ("reporting", "orders"), ("feeds", "markets"), ("signals", "sets"),
            ("backtest", "research"), ("facade", "extraction")} <= silent  # fmt: skip


def test_a_part_of_a_page_that_cannot_be_made_is_told_in_plain_text(client, people, away):
    client.force_login(people["operator"])
    with away("reporting"):
        part = client.get("/orders/", headers={"HX-Request": "true"})
    assert part.status_code == 503
    assert part.headers["Content-Type"].startswith("text/plain")


def test_the_rest_of_a_page_is_shown_while_a_part_of_it_is_away(client, people, kill_switch, away):
    client.force_login(people["operator"])
    with away("risk"):
        page, overview = client.get("/risk/").text, client.get("/").text
    assert "Risk cannot be asked, so what it knows is missing here" in page
    assert "Not known: whom to ask is away." in page
    assert "No order was refused." in page
    assert "Risk cannot be asked" in overview
    assert '<span class="badge bad">away</span>' in overview
    assert "signals" in overview
    with away("reporting"):
        page = client.get("/risk/").text
        assert client.get("/sets/").status_code == 200
        assert client.get("/markets/").status_code == 200
    assert "No order was refused." not in page
    assert "Orders pass within limits." not in page
    assert "Halt trading" in page


def test_without_the_database_of_users_it_says_so_and_shows_no_page(client, people, away):
    client.force_login(people["operator"])
    client.raise_request_exception = False
    with away("default"):
        answer = client.get("/")
    assert answer.status_code == 503
    assert "Nobody can be signed in without it" in answer.text
    assert "<nav" not in answer.text


def test_a_statement_that_is_wrong_is_no_database_that_is_away(client, people, monkeypatch):
    from django.db import ProgrammingError

    def wrong():
        raise ProgrammingError("syntax error")

    client.force_login(people["operator"])
    monkeypatch.setattr("apps.console.research.backtest.stored_runs", lambda *_: wrong())
    client.raise_request_exception = False
    answer = client.get("/research/")
    assert answer.status_code == 500
    assert "that is our mistake" in answer.text
