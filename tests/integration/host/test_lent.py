"""What is asked for over the connection that Django keeps: it stays open, and whoever holds the key is told."""

from contextlib import closing

import pytest
from django.db import connections, transaction

from banyan.models import Request
from banyan.store import Notice, Store, lent

pytestmark = pytest.mark.django_db(transaction=True, databases=["risk"])


def ask(number):
    with closing(Store("risk", lent=lent("risk"))) as store:
        assert store.numbers(["nobody"]) == {}
        return store.ask([(f"id-{number}", "0", b"header", b"\x00\xffbody")])


def test_commands_go_over_the_connection_that_is_kept():
    first = lent("risk")
    assert [ask(1), ask(2), ask(1)] == [1, 1, 0]
    assert lent("risk") is first
    assert not first.closed
    kept = Request.objects.using("risk").order_by("place").values_list("id", "key", "header", "body")
    assert [(name, key, bytes(header), bytes(body)) for name, key, header, body in kept] == [
        (f"id-{number}", "0", b"header", b"\x00\xffbody") for number in (1, 2)
    ]


def test_whoever_is_lent_it_next_can_tell_by_the_server_too():
    listener = Store("risk")
    assert listener.woken(0.0) == []
    for number in range(2):
        with closing(Store("risk", lent=lent("risk"))) as store:
            store._near().tell = lambda texts: 0  # no socket is shared
            store.wake([Notice("", [str(number)])])
        assert listener.woken(10.0) == [Notice("", [str(number)])]
    listener.close()


def test_in_a_transaction_it_is_not_lent_and_what_is_asked_for_does_not_wait_for_its_end():
    with transaction.atomic("risk"):
        assert lent("risk") is None
        ask(1)
        transaction.set_rollback(True, using="risk")
    assert Request.objects.using("risk").count() == 1


def test_one_that_has_broken_is_made_anew_and_closed():
    store = Store("risk", lent=lent("risk"))
    lent("risk").close()
    assert store.numbers(["nobody"]) == {}
    own = store.connection
    store.close()
    assert own.closed
    connections["risk"].close()  # Django's own is of no use any more
