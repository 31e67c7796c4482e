"""What the API answers, against the read models that it is told from."""

import re
from decimal import Decimal

import orjson
import pypdfium2
import pytest
from django.utils import timezone

from apps.api.rows import decimal, time_text
from apps.reporting import interface as reporting
from apps.reporting import scoping
from apps.reporting.interface import Scope
from banyan.models import DeadLetter
from tests.integration.api.conftest import ALL

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("traded")]
MONEY = ("realised", "unrealised", "swap", "dividends", "fees", "total")
LISTS = ("orders", "fills", "refusals", "skips", "positions", "accounts", "pnl?by=account,set,day")


def place(row):
    return tuple(sorted((name, str(value)) for name, value in row.items()))


@pytest.mark.parametrize("path", LISTS)
def test_pages_of_any_size_have_every_row_once_and_in_the_same_order(callers, path):
    caller, join = callers["viewer"], "&" if "?" in path else "?"
    whole = caller.rows(f"{path}{join}limit=500")
    assert len(whole) >= 2
    assert caller.rows(f"{path}{join}limit={max(1, len(whole) // 4)}") == whole
    assert len({place(row) for row in whole}) == len(whole)


@pytest.mark.parametrize("path", ["orders", "fills", "refusals", "skips"])
def test_the_oldest_first_is_the_newest_first_backwards(callers, path):
    column = {"orders": "requested_at", "fills": "filled_at", "refusals": "refused_at", "skips": "skipped_at"}[path]
    rows = callers["viewer"].rows(f"{path}?limit=11")
    assert callers["viewer"].rows(f"{path}?limit=11&sort={column}") == rows[::-1]


@pytest.mark.parametrize("path", LISTS)
def test_a_client_sees_its_own_rows_and_all_of_them(callers, path):
    everything = callers["viewer"].rows(path)
    accounts = {"client one": {"A1", "A2"}, "client two": {"A3", "A4"}}
    for name, own in accounts.items():
        assert callers[name].rows(path) == [row for row in everything if row["account"] in own]


def test_filters_limit_what_they_say(callers):
    orders = callers["viewer"].rows("orders")
    for query, holds in {
        "account=A2": lambda row: row["account"] == "A2",
        "client=two": lambda row: row["account"] in ("A3", "A4"),
        "set=trend": lambda row: row["set"] == "trend",
        "instrument=SIM:GOLD": lambda row: row["instrument"] == "SIM:GOLD",
        "state=filled": lambda row: row["state"] == "Filled",
    }.items():
        wanted = [row for row in orders if holds(row)]
        assert wanted
        assert callers["viewer"].rows(f"orders?{query}") == wanted
    middle = orders[len(orders) // 2]["requested_at"]
    assert callers["viewer"].rows(f"orders?since={middle}") == [r for r in orders if r["requested_at"] >= middle]
    assert callers["viewer"].rows(f"orders?until={middle}") == [r for r in orders if r["requested_at"] < middle]


def test_dead_letters_are_read_page_by_page_context_by_context(callers):
    for context, open_ones in (("risk", 5), ("signals", 3)):
        for number in range(open_ones + 1):
            DeadLetter.objects.using(context).create(
                key="0", number=number, header=b"", body=b"", reason="r", parked_at=timezone.now(),
                status="open" if number else "dropped",
            )  # fmt: skip
    caller = callers["operator"]
    found = [(each["context"], each["number"]) for each in caller.rows("dead-letters?limit=2")]
    assert found == [("signals", 3), ("signals", 2), ("signals", 1), *[("risk", number) for number in (5, 4, 3, 2, 1)]]
    assert [each["number"] for each in caller.rows("dead-letters?limit=2&context=risk")] == [5, 4, 3, 2, 1]
    assert caller.get("dead-letters?context=none").status_code == 404


def test_numbers_and_times_are_exact(callers):
    (row,) = reporting.fills(Scope(), 1)
    told = callers["viewer"].rows("fills?limit=500")[0]
    assert told["filled_at"] == time_text(row.filled_at_ns)
    assert int(told["filled_at"][-10:-1]) == row.filled_at_ns % 10**9
    for name in ("lots", "price", "amount", "fee", "realised"):
        assert Decimal(told[name]) == Decimal(repr(getattr(row, name))), name
        assert "e" not in told[name].lower()


def test_a_number_is_told_without_an_exponent_or_a_minus_before_nothing():
    assert [decimal(each) for each in (1e15, -1e-9, 0.1, -2.5, 1e-6, float("nan"))] == [
        "1000000000000000", "0", "0.1", "-2.5", "0.000001", None,
    ]  # fmt: skip


def test_an_order_has_its_life(callers):
    row = next(each for each in callers["viewer"].rows("orders") if each["state"] == "Filled")
    path = f"orders/{row['account']}/{row['instrument']}/{row['decision']}"
    found = orjson.loads(callers["viewer"].get(path).content)
    assert found.items() >= row.items()
    assert [each["at"] for each in found["timeline"]] == sorted(each["at"] for each in found["timeline"])
    assert sum(Decimal(each["lots"]) for each in found["fills"]) == Decimal(row["filled"])
    assert {each["name"] for each in found["settings"]} >= {"sizing", "allocation"}


def test_what_was_refused_is_told_in_a_sentence(callers):
    rows = callers["viewer"].rows("refusals")
    assert all(row["words"] for row in rows)
    assert any("where an order may have" in row["words"] for row in rows)
    assert any("where an order may have" in row["why"] for row in callers["viewer"].rows("orders?state=refused"))


def test_an_account_tells_what_it_follows_and_why(callers):
    assert {row["set"] for row in callers["client one"].rows("accounts/A1/subscriptions")} == {"trend", "revert"}
    settings = callers["client one"].rows("accounts/A1/settings")
    assert {row["level"] for row in settings if row["name"] == "allocation"} == {"subscription"}
    assert callers["client one"].rows("accounts/A1/equity?since=2026-03-01T00:00:00Z")
    assert orjson.loads(callers["client one"].get("accounts/A1").content)["client"] == "one"


def test_only_the_fields_that_are_asked_for_are_told_and_as_csv_too(callers):
    rows = callers["viewer"].rows("orders?fields=account,lots")
    assert {tuple(row) for row in rows} == {("account", "lots")}
    response = callers["viewer"].get("orders?fields=account,lots&format=csv&limit=500")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = response.content.decode().split("\r\n")
    assert lines[0] == "account,lots"
    assert lines[1:-1] == [f"{row['account']},{row['lots']}" for row in rows]
    assert callers["viewer"].get("orders", Accept="text/csv").content.startswith(b"account,instrument,")


@pytest.mark.parametrize("asked", ["", "sort=", "state=filled", "set=trend", "since=2026-03-01T00:00:00Z"])
@pytest.mark.parametrize("name", ["orders", "fills", "refusals", "skips"])
def test_rows_of_few_accounts_are_those_of_all_rows_that_are_theirs(callers, monkeypatch, name, asked):
    if asked.startswith("state") and name != "orders":
        return
    if asked == "sort=":
        asked += {"orders": "requested_at", "fills": "filled_at", "refusals": "refused_at", "skips": "skipped_at"}[name]
    found = []
    for few in (200, 0):
        monkeypatch.setattr(scoping, "_FEW", few)
        found.append([callers[who].rows(f"{name}?limit=3&{asked}") for who in ("client one", "client two")])
    assert found[0] == found[1]
    assert any(found[0]) or asked


@pytest.mark.parametrize("by", ["set", "instrument", "set,instrument"])
def test_profit_is_the_same_however_it_is_grouped(callers, by):
    for who in ("viewer", "client one"):
        single = callers[who].rows(f"pnl?by=account,{by}&limit=3")
        assert [row["account"] for row in single] == sorted(row["account"] for row in single)
        counts = []
        for row in callers[who].rows(f"pnl?by={by}"):
            mine = [each for each in single if all(each[name] == row[name] for name in (*by.split(","), "currency"))]
            counts.append(len(mine))
            assert row["fills"] == sum(each["fills"] for each in mine)
            for name in MONEY:
                wanted = None if any(each[name] is None for each in mine) else sum(Decimal(each[name]) for each in mine)
                assert (None if row[name] is None else Decimal(row[name])) == wanted
        assert max(counts) > 1


def test_a_statement_is_printed_with_the_numbers_of_its_list(callers):
    asked = "pnl?by=day&account=A1"
    rows = callers["client one"].rows(asked)
    printed = callers["client one"].get(f"{asked}&format=pdf")
    assert printed.headers["Content-Type"] == "application/pdf"
    document = pypdfium2.PdfDocument(printed.content)
    text = "\n".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    assert "Account A1 of one" in text
    told = [line.replace(",", "").split() for line in text.splitlines() if re.match(r"\d{4}-\d\d-\d\d ", line)]
    wanted = [[row["day"], row["currency"], str(row["fills"]), *(row[name] for name in MONEY)] for row in rows]
    numbers = lambda line: [*line[:3], *(None if each in ("—", None) else Decimal(each) for each in line[3:])]  # noqa: E731
    assert list(map(numbers, told)) == list(map(numbers, wanted))
    assert callers["client one"].get("pnl", Accept="application/pdf").content.startswith(b"%PDF-")
    assert callers["client one"].get("pnl?client=two&format=pdf").status_code == 404
    assert callers["client two"].get(f"{asked}&format=pdf").content.count(b"%PDF-") == 1
    assert callers["client one"].get("orders?format=pdf").status_code == 400


def test_a_list_of_fields_can_be_given_as_generated_clients_give_it(callers):
    together, apart = (
        callers["viewer"].get(f"orders?limit=2&{each}")
        for each in ("fields=account,lots", "fields=account&fields=lots")
    )
    assert orjson.loads(apart.content) == orjson.loads(together.content)
    (following,) = re.findall(r"<(.*)>", apart.headers["Link"])
    onward = orjson.loads(callers["viewer"].get(following.removeprefix("/api/v1/")).content)["data"]
    assert {tuple(row) for row in onward} == {("account", "lots")}
    table = callers["viewer"].get("orders?fields=account&fields=lots&format=csv").content
    assert table.startswith(b"account,lots\r\n")
    assert callers["viewer"].get("orders?fields=account&fields=account").status_code == 400
    assert callers["viewer"].get("orders?limit=1&limit=2").status_code == 400


def test_an_order_that_comes_meanwhile_moves_none_from_page_to_page(callers):
    first = orjson.loads(callers["viewer"].get("orders?limit=3").content)
    again = orjson.loads(callers["viewer"].get(f"orders?limit=3&cursor={first['next']}").content)
    assert again["data"] == callers["viewer"].rows("orders")[3:6]


def test_each_signal_tells_what_became_of_it(callers):
    caller = callers["viewer"]
    signals = caller.rows("signals?limit=3")
    assert signals == caller.rows("signals?limit=500")
    assert signals[::-1] == caller.rows("signals?limit=4&sort=said_at")
    assert caller.rows("signals?set=trend") == [each for each in signals if each["set"] == "trend"]
    orders, skips = (caller.rows(f"{name}?limit=500") for name in ("orders", "skips"))
    told = [orjson.loads(caller.get(f"signals/{each['set']}/{each['number']}").content) for each in signals]
    for signal, detail in zip(signals, told, strict=True):
        assert detail.items() >= signal.items()
        theirs = [each for each in orders if (each["set"], each["signalled_at"]) == (signal["set"], signal["said_at"])]
        assert detail["orders"] == len(theirs)
        assert detail["filled"] == sum(each["state"] == "Filled" for each in theirs)
        assert detail["refused"] == sum(each["state"] in ("Denied", "Rejected") for each in theirs)
        assert sum(each["count"] for each in detail["refusals"]) == detail["refused"]
        assert sum(each["count"] for each in detail["skips"]) == detail["skipped"]
    assert sum(each["refused"] for each in told) > 0
    assert sum(each["filled"] for each in told) > 0
    assert sum(each["skipped"] for each in told) == len(skips) > 0


@pytest.mark.parametrize(
    "path", ["orders?limit=5", "signals?limit=5", "positions?limit=5", "accounts?limit=2", "pnl?by=set"]
)
def test_calls_cost_the_same_queries_whatever_their_page(callers, path, django_assert_max_num_queries):
    callers["viewer"].get(path)
    for alias, most in (("default", 2), ("reporting", 4)):
        from django.db import connections

        with django_assert_max_num_queries(most, connection=connections[alias]):
            assert callers["viewer"].get(path.replace("limit=5", "limit=50")).status_code == 200
