"""Commands that were refused when their turn came are told to whoever has asked."""

import pytest

from apps.execution.contracts import CancelOrder, Flatten, OpenAccount, PlaceManualOrder
from apps.reporting import interface
from apps.reporting.interface import Scope
from banyan.columns import ints
from tests.integration.reporting.conftest import read_all
from tests.integration.reporting.recorded import SHARD
from tests.integration.reporting.test_read_models import two_clients
from tests.unit.execution.desk import EURUSD, QUOTES

pytestmark = pytest.mark.django_db(databases=["reporting"], transaction=True)


def test_what_was_asked_and_refused_when_its_turn_came_is_told_by_the_command_and_to_whom_it_concerns(desk, follower):
    two_clients(desk)
    desk.feed(CancelOrder(account=1, instrument=EURUSD.id, decision=9))
    cancel = f"{SHARD}-{desk.execution.heads()[SHARD]}"
    desk.feed(Flatten(accounts=ints([2])))
    bid, ask = QUOTES[EURUSD.id]
    desk.feed(PlaceManualOrder(account=2, terms=EURUSD, steps=5, bid_ticks=bid, ask_ticks=ask))
    order = f"{SHARD}-{desk.execution.heads()[SHARD]}"
    desk.feed(OpenAccount(account="A1", number=1, client="one", broker="b", currency="USD", deposit_micro=1))
    again = f"{SHARD}-{desk.execution.heads()[SHARD]}"
    read_all(follower)
    found = interface.unmet(Scope(), [cancel, order, again, f"{SHARD}-1"])
    told = {each.command_id: (each.command, each.is_refused, each.words) for each in found.values()}
    assert told == {
        cancel: ("cancel-order", True, f"order 9 of account 1 in {EURUSD.id} is not open"),
        order: ("place-manual-order", False, interface.skip_in_words("flattened")),
        again: ("open-account", True, "account 1 is open already"),
    }
    assert set(interface.unmet(Scope(client="one"), told)) == {cancel, again}
    assert set(interface.unmet(Scope(client="two"), told)) == {order}
