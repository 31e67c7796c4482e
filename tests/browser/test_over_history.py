"""The console as it is used over a long history of trading: full, ten thousand accounts and a million orders.

All of it is for `make soak`, over a small history that was made in the same way too.
"""

import json
import socket
import time
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from itertools import cycle

import pytest

from tests.benchmarks.history import FULL, GBM, SET, SMALL, account_of, copy, kept
from tests.benchmarks.tree import SHARDS
from tests.browser.console_server import ConsoleServer
from tests.browser.pages import pages_of, shown
from tests.network import Network
from tests.patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.chromium, pytest.mark.soak]
HERE = "127.0.0.1"


@pytest.fixture(
    scope="module",
    params=[pytest.param(SMALL, id="small"), pytest.param(FULL, id="full")],
)
def size(request):
    return request.param


@pytest.fixture(scope="module")
def server(size, tmp_path_factory):
    """What serves a copy of the history, and the pipeline that goes on with it."""
    folder = tmp_path_factory.mktemp("history")
    copy(kept(size), folder)
    made = ConsoleServer(folder, SHARDS)
    try:
        made.start()
        made.run()
        made.hand_in_a_bar()  # the paper broker knows a price from then on
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def key(server):
    printed = server.manage("api_keys", "make", "--name", "tests", "--scope", "read", "--scope", "trade")
    return next(word for word in printed.split() if word.startswith("bnyn_"))


@contextmanager
def called(port, key, path, body=None):
    """Call the API, and give its answer."""
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Idempotency-Key": uuid.uuid4().hex,
    }
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{HERE}:{port}/api/v1{path}", data, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        yield answer


def order_by_hand(server, key, account, lots="1000"):
    body = {"account": account, "instrument": "OANDA:EURUSD", "lots": lots}
    with called(server.port, key, "/orders", body) as answer:
        assert answer.status == 202


def whole(number):
    return f"{number:,}"


# Each width in the colours in which the console of the sample is not looked at.
@pytest.mark.parametrize(("width", "dark"), [(1440, True), (390, False)])
def test_every_page_fits_and_is_accessible(new_context, find_violations, server, size, width, dark):
    page = shown(new_context(width=width, dark=dark), server)
    for path in pages_of(account_of(size, 1), SET):
        page.goto(server.address + path)
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        assert find_violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
        assert page.evaluate("document.documentElement.classList.contains('dark')") == dark


def test_an_account_among_all_is_found_by_typing_and_its_history_is_gone_through(new_context, server, size):
    name = account_of(size, 7, "B")
    page = shown(new_context(), server, "/accounts/")
    page.keyboard.type(name.lower())
    page.locator("#found tbody tr").nth(1).wait_for(state="detached")
    page.get_by_role("link", name=name).click()
    page.locator("[data-equity][data-points]").wait_for()
    page.locator("section[aria-labelledby=c-positions] tbody tr").first.wait_for()
    page.get_by_role("link", name="All its orders").click()
    seen = []
    while True:
        rows = page.locator("#live tbody tr")
        assert set(page.locator("#live tbody tr td:nth-child(2)").all_inner_texts()) == {name}
        seen += [each.get_attribute("href") for each in rows.locator("td:first-child a").all()]
        older = page.get_by_role("link", name="Older")
        if not older.count():
            break
        before = page.url
        older.click()
        page.wait_for_url(lambda url, before=before: url != before)
    assert len(seen) == len(set(seen)) >= size.orders // size.accounts
    page.locator("#live tbody tr td:first-child a").last.click()
    page.get_by_role("heading", name="Its life").wait_for()
    page.get_by_role("link", name="Follow its message").click()
    for context in ("feeds/oanda", f"signals/{SET}", "execution/", "risk/"):
        page.locator("tbody th", has_text=context).first.wait_for()


def test_one_tab_acts_on_many_accounts_and_another_sees_how_far_it_is(new_context, server, size):
    context = new_context()
    count = whole(min(100, size.accounts // 2))
    watching, acting = (shown(context, server, "/accounts/?find=acme") for _ in range(2))
    together = [page.get_by_role("group", name="All that were found") for page in (watching, acting)]
    together[1].get_by_text(f"{count} accounts", exact=True).wait_for()
    together[1].get_by_role("link", name="Halt").click()
    acting.fill("#why", "the browser's test")
    acting.fill("#word", "HALT")
    acting.get_by_role("button", name="Halt them").click()
    acting.get_by_text(f"Asked: {count} accounts halted.").wait_for()
    for each in together:
        each.get_by_text(f"{count} halted").wait_for()
    together[0].get_by_role("link", name="Let trade").click()
    watching.fill("#why", "done")
    watching.get_by_role("button", name="Let them trade").click()
    for each in together:
        each.get_by_text("· 0 halted").wait_for()


def test_an_order_by_hand_and_those_of_a_signal_come_to_who_looks(new_context, server, key, size):
    context = new_context()
    blotter, of_set = shown(context, server, "/orders/"), shown(context, server, f"/sets/{SET}/")
    for page in (blotter, of_set):
        page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()
    order_by_hand(server, key, account_of(size, 3))
    first = blotter.locator("#live tbody tr").first
    first.filter(has_text=account_of(size, 3)).filter(has_text="manual").filter(has_text="filled").wait_for()
    said = of_set.locator("section[aria-labelledby=c-said] tbody tr").first
    before = said.locator("time").first.get_attribute("datetime")
    server.hand_in_a_bar()
    told = of_set.locator(f"section[aria-labelledby=c-said] tbody tr:first-child:not(:has(time[datetime='{before}']))")
    told.locator("td:nth-child(5)").get_by_text(whole(size.accounts), exact=True).wait_for()
    blotter.locator("#live tbody tr").first.filter(has_text=SET).wait_for()


def test_a_limit_is_tried_on_all_accounts_before_it_is_set(new_context, server, size):
    page = shown(new_context(), server, "/risk/")
    page.get_by_role("link", name="Limits of all accounts").click()
    page.get_by_label("Largest order in money").fill("1")
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_text("would newly refuse").first.wait_for()
    assert page.get_by_text(f"of {whole(size.accounts)} accounts").first.is_visible()


def test_a_set_is_paused_and_started_with_all_who_follow_it(new_context, server, size):
    page = shown(new_context(), server, f"/sets/{SET}/")
    page.get_by_role("heading", name=f"{whole(size.accounts)} accounts follow it").wait_for()
    page.get_by_text("running", exact=True).wait_for()
    page.get_by_role("link", name="Pause").click()
    page.get_by_text(f"{whole(size.accounts)} accounts follow it.").wait_for()
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("paused", exact=True).wait_for()
    page.get_by_role("link", name="Start").click()
    page.fill("#why", "done")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("running", exact=True).wait_for()


def test_a_chart_of_all_bars_begins_with_the_last_and_goes_back(new_context, server):
    page = shown(new_context(), server, f"/markets/{GBM}/?interval=1m")
    page.locator("[data-market][data-bars='500']").wait_for()
    page.locator("[data-market]").focus()
    for _ in range(2_000):  # all that is pressed within one frame moves the chart once
        if page.locator("[data-market]").get_attribute("data-bars") != "500":
            break
        page.keyboard.press("ArrowLeft")
    page.locator("[data-market]:not([data-bars='500'])").wait_for()


def test_a_page_says_that_the_server_is_away_and_shows_what_came_meanwhile(new_context, server, key, size):
    page = shown(new_context(), server, "/orders/")
    page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()
    port, beside = server.serve_beside()
    server.kill()
    page.locator("[data-stale]", has_text="No data for").wait_for()
    body = {"account": account_of(size, 5), "instrument": "OANDA:EURUSD", "lots": "2000"}
    with called(port, key, "/orders", body) as answer:
        assert answer.status == 202
    beside.terminate()
    beside.wait()
    server.start()
    page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()
    assert page.locator("[data-stale]").is_hidden()
    page.locator("#live tbody tr").first.filter(has_text=account_of(size, 5)).wait_for()


def test_two_servers_behind_a_balancer_share_sessions_limits_and_streams_and_one_is_killed(
    new_context, browser, server, key, size
):
    port, other = server.serve_beside()
    turns = cycle([server.port, port])

    def reach():
        """Connect to the one whose turn it is, or else to the other, as a balancer does."""
        for each in (next(turns), next(turns)):
            try:
                return socket.create_connection((HERE, each))
            except ConnectionRefusedError:
                continue
        raise ConnectionRefusedError

    with Network((HERE, 0), reach) as balancer:
        address = f"http://{balancer.address}"
        few = server.manage("api_keys", "make", "--name", "few", "--scope", "read", "--calls", "6")
        few = next(word for word in few.split() if word.startswith("bnyn_"))
        statuses = []
        for _ in range(8):  # each by a connection of its own, and so by the other server
            try:
                with called(balancer.port, few, "/accounts?limit=1") as answer:
                    statuses.append(answer.status)
            except urllib.error.HTTPError as refused:
                statuses.append(refused.code)
        assert statuses == [200] * 6 + [429] * 2

        context = new_context()
        page = context.new_page()
        page.goto(f"{address}/orders/")
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        assert page.url == f"{address}/orders/", "the session of one server is that of the other"
        page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()
        last, heard = "", []
        for number, account in enumerate([account_of(size, 8), account_of(size, 9)]):
            order_by_hand(balancer, key, account)
            heard += listened(balancer.port, key, last, account)
            last = heard[-1][0]
            page.locator("#live tbody tr").first.filter(has_text=account).wait_for()
            if number == 0:
                other.kill()
                other.wait()
                page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()
        ids = [each for each, _ in heard]
        assert len(set(ids)) == len(ids), "an event was told twice"


def listened(port, key, last, account):
    """Listen after an event until an order of an account has been filled; return (id, data) of what was told."""
    request = urllib.request.Request(f"http://{HERE}:{port}/api/v1/streams/fills?account={account}")
    request.add_header("Authorization", f"Bearer {key}")
    if last:
        request.add_header("Last-Event-ID", last)
    else:
        request.full_url += "&since=2020-01-01T00:00:00Z"
    found, fields, until = [], {}, time.monotonic() + PATIENCE_SECONDS
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as stream:
        for line in stream:
            assert time.monotonic() < until, "its order was not filled"
            name, _, value = line.decode().strip().partition(": ")
            if name:
                fields[name] = value
            elif fields.get("event") == "fills":
                told = json.loads(fields["data"])
                found.append((fields["id"], told))
                if told["set"] == "manual":
                    return found
    raise AssertionError("the stream has ended")
