"""Of what was read for all who listen each takes what is theirs, whatever they ask for."""

from itertools import product

import pytest

from apps.api.access import Caller
from apps.api.pieces import Item, Piece
from apps.api.tenancy import scope_of

ACCOUNTS = {"A1": "one", "A2": "one", "A3": "two"}
ITEMS = [
    Item("0", (at,), ACCOUNTS[account], account, set_name, (instrument,), b"{}")
    for at, (account, set_name, instrument) in enumerate(product(ACCOUNTS, ("trend", "manual"), ("X:A", "X:B")), 1)
]
ASKED = [
    {"account": account, "set": set_name, "instrument": instrument}
    for account, set_name, instrument in product(("", "A1", "A3", "A9"), ("", "trend"), ("", "X:B"))
]


@pytest.mark.parametrize("client", ["one", "two", "none", ""])
@pytest.mark.parametrize("asked", ASKED)
def test_a_listener_takes_what_is_theirs_of_what_they_ask_for(client, asked):
    caller = Caller("k", "k", "name", client, frozenset({"read"}))
    taken = list(Piece(ITEMS, {}, ["one", "two"]).within(scope_of(caller, asked)))
    assert taken == [
        item for item in ITEMS
        if client in ("", item.client)
        and asked["account"] in ("", item.account)
        and asked["set"] in ("", item.set)
        and asked["instrument"] in ("", *item.instruments)
    ]  # fmt: skip
