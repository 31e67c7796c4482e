"""The harness proves itself: with a guarantee of the product taken out, an invariant must break."""

from typing import Any

import pytest

from apps.audit.invariants import Violation
from apps.execution.edge.edge import Edge
from apps.execution.edge.kill_switch import KillSwitch
from apps.execution.edge.paper import PaperBroker
from apps.execution.edge.resolving import Resolving
from apps.execution.paper.broker import Options
from banyan.host.round import Round
from tests.fault import pipeline as harness
from tests.fault.pipeline import Pipeline

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is broken stays broken: there is no use in waiting long for it to heal."""
    monkeypatch.setattr(harness, "SETTLE_SECONDS", 2.0)


def broken(pipeline: Pipeline) -> dict[int, Violation]:
    """Return a violation of each invariant that does not hold once everything is at rest."""
    _, found = pipeline.settle()
    return {each.invariant: each for each in found}


@pytest.mark.soak
def test_without_the_inbox_a_message_that_comes_twice_is_found_applied_twice(make, monkeypatch):
    monkeypatch.setattr(Round, "_is_due", lambda *_: True)
    pipeline = make(7)
    pipeline.transport.share = pipeline.share = 0.4
    pipeline.trade(6)
    pipeline.transport.share = pipeline.share = 0.0
    assert "applied once" in broken(pipeline)[7].expected


def test_where_sent_is_committed_after_sending_an_order_is_found_that_no_ledger_knows(make, monkeypatch):
    pipeline = make(7)
    commit, submit = Edge._commit, PaperBroker.submit

    def late(self: Edge) -> None:
        self._sending.write()
        commit(self)

    def last(self: PaperBroker, orders: Any) -> None:
        """Let an order arrive, then die, and let nothing be sent by the next life: it would only ask the same again."""
        submit(self, orders)
        while not len(pipeline.facts().placed):
            pass
        KillSwitch(pipeline.switch).throw("a test")
        pipeline.crashes.armed = "edge.before-commit"

    monkeypatch.setattr(Edge, "_commit", late)
    monkeypatch.setattr(PaperBroker, "submit", last)
    pipeline.signal(0.4)
    pipeline.until(lambda: pipeline.crashes.happened, "a death with an order on its way")
    monkeypatch.setattr(Edge, "_commit", commit)
    monkeypatch.setattr(PaperBroker, "submit", submit)
    found = broken(pipeline)
    assert "SENT in the edge's ledger" in found[3].expected


@pytest.mark.soak
def test_where_an_order_is_written_again_for_want_of_an_answer_it_is_found_twice(make, monkeypatch):
    pipeline = make(7, options=Options(is_idempotent=False))
    submit = PaperBroker.submit

    def retried(self: PaperBroker, orders: Any) -> None:
        submit(self, orders)
        submit(self, orders)

    monkeypatch.setattr(PaperBroker, "submit", retried)
    pipeline.trade(3)
    found = broken(pipeline)
    assert "at most" in found[1].expected
    assert found[3].expected == "one order at the broker"


@pytest.mark.soak
def test_where_an_order_is_given_up_in_the_session_that_it_was_sent_in_its_arrival_is_found(make, monkeypatch):
    pipeline = make(7)
    delayed: list[tuple[PaperBroker, Any]] = []
    submit, answered = PaperBroker.submit, Resolving.answered
    monkeypatch.setattr(PaperBroker, "submit", lambda self, orders: delayed.append((self, orders)))

    def rash(self: Resolving, link: Any, answer: Any) -> None:
        """Take a session that is still open for a newer one, and do not wait for the deadline."""
        for shard in self._edge.shards.values():
            shard.memory.orders.rows["session"] -= 1
            shard.memory.orders.rows["deadline_ns"] = 0
        answered(self, link, answer)

    monkeypatch.setattr(Resolving, "answered", rash)
    pipeline.signal(0.4)
    pipeline.until(lambda: delayed, "an order on its way")
    pipeline.until(lambda: pipeline.facts().never_arrived, "giving up")
    monkeypatch.setattr(PaperBroker, "submit", submit)
    monkeypatch.setattr(Resolving, "answered", answered)
    for broker, orders in delayed:
        submit(broker, orders)
    found = broken(pipeline)
    assert "never arrived" in found[8].expected


@pytest.mark.soak
def test_where_orders_are_written_for_one_another_s_accounts_it_is_found_whose_they_are(make, monkeypatch):
    pipeline = make(7)
    submit = PaperBroker.submit

    def crossed(self: PaperBroker, orders: Any) -> None:
        submit(self, orders._replace(account=orders.account[::-1].copy()))

    monkeypatch.setattr(PaperBroker, "submit", crossed)
    pipeline.trade(3)
    assert broken(pipeline)[10].expected == "that account and instrument at the broker"
