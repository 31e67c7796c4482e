"""A working session of a client's program: what it has, an order's life, what goes wrong. Its twin is session.ts."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

from banyan_client import AuthenticatedClient
from banyan_client.api.accounts import get_account, list_accounts
from banyan_client.api.orders import cancel_order, list_orders, place_order
from banyan_client.models import (
    Cancel,
    ListAccountsFieldsItem,
    ListOrdersSort,
    NewOrder,
    Order,
    Problem,
    TimeInForceEnum,
)
from banyan_client.types import UNSET

ACCOUNT = os.environ["BANYAN_ACCOUNT"]
bank = AuthenticatedClient(
    base_url=os.environ["BANYAN_URL"], token=os.environ["BANYAN_KEY"], raise_on_unexpected_status=True
)


def told(answer):
    """Return what was answered, where it is no problem."""
    assert not isinstance(answer, Problem), answer.detail
    return answer


def accounts() -> Iterator[str]:
    """Yield the names of all accounts, page by page."""
    fields = [ListAccountsFieldsItem.ACCOUNT, ListAccountsFieldsItem.EQUITY]
    cursor = UNSET
    while cursor is not None:
        page = told(list_accounts.sync(client=bank, limit=10, fields=fields, cursor=cursor))
        yield from (each.account for each in page.data)
        cursor = page.next_


def place(key: str, lots: str) -> dict:
    """Return what came of an order, or the problem with it."""
    order = NewOrder(ACCOUNT, "OANDA:EURUSD", lots, limit="0.5", time_in_force=TimeInForceEnum.GTC, reason="a session")
    answer = place_order.sync_detailed(client=bank, idempotency_key=key, body=order)
    return answer.parsed.to_dict() | {"replayed": "Idempotency-Replayed" in answer.headers}


def placed(version: str) -> Order:
    """Return the order that a write led to, once it can be read: a read that names its version waits for it."""
    while True:
        page = list_orders.sync(client=bank, version=version, sort=ListOrdersSort.REQUESTED_AT_FALLING)
        if not isinstance(page, Problem):
            (order,) = page.data
            return order
        assert page.code == "version-awaited", page.detail


def heard(since: str) -> Iterator[Order]:
    """Yield orders as they change."""
    query = {"account": ACCOUNT, "since": since}
    name = ""
    with bank.get_httpx_client().stream("GET", "/api/v1/streams/orders", params=query, timeout=30) as stream:
        for line in stream.raise_for_status().iter_lines():
            kind, _, rest = line.partition(": ")
            if kind == "event":
                name = rest
            elif kind == "data" and name == "orders":
                yield Order.from_dict(json.loads(rest))


begun = datetime.now(UTC).isoformat()
key = str(uuid4())
first, again, other = place(key, "1000"), place(key, "1000"), place(key, "2000")
order = placed(first["version"])
states = []
for each in heard(begun):
    if each.decision != order.decision:
        continue
    states.append(each.state)
    if each.state == "New":
        told(
            cancel_order.sync(
                ACCOUNT, order.instrument, order.decision, client=bank, idempotency_key=str(uuid4()),
                body=Cancel(reason="the session is over"),
            )
        )  # fmt: skip
    if each.ended_at:
        break
nobody = get_account.sync("NOBODY", client=bank)
found = {
    "accounts": list(accounts()), "first": first, "again": again, "other": other, "order": order.to_dict(),
    "states": states, "nobody": nobody.to_dict(),
}  # fmt: skip
print(json.dumps(found))  # noqa: T201
