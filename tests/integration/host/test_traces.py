"""What comes of a command goes back to the request that asked for it, and its record is found by its id."""

import pytest

from banyan import lineage, tracing
from banyan.codec import decode_envelope
from banyan.models import Log
from banyan.store import Store
from banyan.transport import Command, ask
from tests.integration.host.tally import Add

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk"])


def traces_of(context):
    return [decode_envelope(bytes(each.header)).trace for each in Log.objects.using(context).order_by("key", "number")]


def test_a_request_is_in_the_envelopes_of_all_that_comes_of_it(pair):
    pair.execution.close()
    store = Store("execution")
    with tracing.traced("mine-1"), tracing.collected() as asked:
        ask(store, [Command("a", Add(number=1), "c1"), Command("b", Add(number=2), "c2")], 1)
        ask(store, [Command("a", Add(number=3), "c3")], 1)
    ask(store, [Command("a", Add(number=4), "c4")], 1)
    store.close()
    assert [tuple(each) for each in asked.values()] == [("execution", "a", "c1"), ("execution", "b", "c2")]
    assert lineage.record_of("execution", "a", "c1") is None
    pair.restart()
    pair.settle()
    assert traces_of("execution") == traces_of("risk") == ["mine-1", "mine-1", "", "mine-1"]
    found = [lineage.record_of("execution", *each).number for each in (("a", "c1"), ("b", "c2"), ("a", "c4"))]
    assert found == [1, 1, 3]
    assert lineage.record_of("execution", "b", "c1") is None
    took, answered = lineage.lineage("risk", "a", 1)
    assert [(each.context, each.trace) for each in (took, answered)] == [("execution", "mine-1"), ("risk", "mine-1")]
