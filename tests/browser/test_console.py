"""The console in a real browser, over a pipeline that trades sample accounts on real ticks."""

import base64
import re
import time

import pytest

from apps.console import totp
from tests.browser.pages import PAGES, RECORDS, shown

pytestmark = pytest.mark.chromium


def test_every_page_fits_and_is_accessible(new_context, find_violations, server):
    """Each width and each set of colours once, on a page as it changes from the one to the other."""
    page = shown(new_context(), server)
    for path in (*PAGES, *RECORDS):
        page.goto(server.address + path)
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        for width, colours in ((1440, "light"), (390, "dark")):
            page.emulate_media(color_scheme=colours)
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_selector("html.dark" if colours == "dark" else "html:not(.dark)", state="attached")
            assert find_violations(page) == [], (path, width)
            assert page.evaluate("document.documentElement.scrollWidth") == width, path


def test_sign_in_page_is_accessible_and_a_wrong_password_is_told(new_context, find_violations, server):
    page = new_context(storage_state=None).new_page()
    page.goto(f"{server.address}/sign-in/")
    assert find_violations(page) == []
    page.fill("#id_username", "admin")
    page.fill("#id_password", "wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    assert "correct username and password" in page.get_by_role("alert").inner_text()
    assert find_violations(page) == []


def test_overview_fills_by_itself_while_orders_are_traded(new_context, server):
    page = shown(new_context(), server)
    page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()
    page.locator("#live table tbody tr", has_text="trend").wait_for()
    page.locator("svg.line").wait_for()
    page.get_by_text("equity of 100 accounts").wait_for()
    page.locator("#live table tbody tr", has_text="oanda").get_by_text("running").wait_for()


def test_orders_come_by_themselves_and_each_has_its_life(new_context, find_violations, server):
    page = shown(new_context(), server, "/orders/")
    page.get_by_role("link", name="Older").wait_for()
    newest = page.locator("tbody tr td a").first.inner_text()
    page.get_by_role("link", name="Older").click()
    assert page.locator("tbody tr td a").first.inner_text() <= newest
    page.get_by_role("link", name="Newest").click()
    page.get_by_label("State").select_option("refused")
    page.get_by_role("button", name="Filter").click()
    page.locator("tbody tr", has_text="where an order may have 20,000").first.wait_for()
    refused = page.url
    assert "state=refused" in refused
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Its life").wait_for()
    assert page.locator("#live strong", has_text="where an order may have 20,000").is_visible()
    assert page.locator("tbody tr", has_text="said so").count() == 1
    assert page.locator("tbody th", has_text="Share of equity").is_visible()
    assert find_violations(page) == []
    for older in range(0, 50, 5):  # an order that had to wait begins with what it waited for, not with a bar
        page.goto(refused)
        page.locator("tbody tr").nth(older).get_by_role("link").first.click()
        page.get_by_role("link", name="Follow its message").click()
        page.locator("tbody th", has_text="risk/").first.wait_for()
        if page.locator("tbody th", has_text="feeds/oanda").count():
            break
    for context in ("feeds/oanda", "signals/", "execution/"):
        page.locator("tbody th", has_text=context).first.wait_for()
    assert find_violations(page) == []
    page.locator("tbody th a", has_text="risk/").first.click()
    page.get_by_role("heading", name="What it took").wait_for()


def test_an_account_is_found_by_typing_and_flattened(new_context, find_violations, server):
    page = shown(new_context(), server, "/accounts/")
    page.keyboard.type("cedar-07")
    page.locator("#found tbody tr").nth(1).wait_for(state="detached")
    page.get_by_role("link", name="CEDAR-07").click()
    page.locator("[data-equity][data-points]").wait_for()
    holding = page.locator("section[aria-labelledby=c-positions] tbody tr")
    holding.first.wait_for()
    page.locator("[data-equity-told]", has_text="in this range").wait_for()
    page.get_by_text("TradingView Lightweight Charts").wait_for()
    page.locator("section[aria-labelledby=c-why] tbody tr").first.wait_for()
    page.locator("section[aria-labelledby=c-settings] td", has_text="subscription").nth(1).wait_for()
    assert find_violations(page) == []
    page.get_by_role("link", name="Flatten").click()
    page.get_by_text("It holds 1 position, worth").wait_for()
    page.fill("#why", "the browser's test")
    page.fill("#word", "FLATTEN")
    page.get_by_role("button", name="Flatten").click()
    page.get_by_text("Asked: CEDAR-07 closes what it holds").wait_for()
    page.get_by_text("It holds nothing.").wait_for()


def test_accounts_that_were_found_are_halted_together_and_let_go(new_context, find_violations, server):
    page = shown(new_context(), server, "/accounts/?find=birch")
    together = page.get_by_role("group", name="All that were found")
    together.get_by_text("25 accounts", exact=True).wait_for()
    together.get_by_role("link", name="Halt").click()
    page.get_by_text("25 accounts with “birch” in id or client: BIRCH-01").wait_for()
    page.fill("#why", "the browser's test")
    page.fill("#word", "HALT")
    page.get_by_role("button", name="Halt them").click()
    page.get_by_text("Asked: 25 accounts halted.").wait_for()
    together.get_by_text("25 halted").wait_for()
    assert find_violations(page) == []
    together.get_by_role("link", name="Let trade").click()
    page.fill("#why", "done")
    page.get_by_role("button", name="Let them trade").click()
    together.get_by_text("· 0 halted").wait_for()


def test_one_tab_acts_and_another_sees_it(new_context, server):
    context = new_context()
    watching, acting = shown(context, server), shown(context, server)
    acting.get_by_role("link", name="Halt trading").click()
    acting.get_by_role("button", name="Halt trading").click()
    assert acting.locator("#why:invalid").count() == 1
    acting.fill("#why", "the browser's test")
    acting.fill("#word", "halt")
    acting.get_by_role("button", name="Halt trading").click()
    assert "Type HALT to confirm." in acting.get_by_role("alert").first.inner_text()
    acting.fill("#word", "HALT")
    acting.get_by_role("button", name="Halt trading").click()
    acting.get_by_text("Asked every shard: trading is halted.").wait_for()
    watching.get_by_text("Trading is halted for all accounts.").wait_for()
    watching.get_by_text("admin: the browser's test").first.wait_for()
    watching.locator(".needs").get_by_role("link", name="Lift the halt").click()
    watching.fill("#why", "seen")
    watching.get_by_role("button", name="Lift the halt").click()
    acting.get_by_text("Trading is halted for all accounts.").wait_for(state="detached")
    acting.goto(f"{server.address}/audit/")
    assert acting.locator("tbody tr").nth(0).inner_text().count("trading.activate") == 1
    assert "the browser's test" in acting.locator("tbody tr").nth(1).inner_text()


def test_limits_are_previewed_set_and_removed_and_a_set_is_halted(new_context, find_violations, server):
    page = shown(new_context(), server, "/risk/")
    page.locator("section[aria-labelledby=c-refusals] tbody tr", has_text="max order").wait_for()
    page.get_by_role("link", name="Limits of all accounts").click()
    page.get_by_label("Largest order in money").fill("plenty")
    page.get_by_role("button", name="See what it would do").click()
    assert "order-notional=plenty: write it as" in page.get_by_role("alert").first.inner_text()
    page.get_by_label("Largest order in money").fill("1")
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_text("would newly refuse").first.wait_for()
    assert page.get_by_text("of 100 accounts (max notional").first.is_visible()
    assert find_violations(page) == []
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Change the limits").click()
    all_accounts = page.locator("section[aria-labelledby=c-limits] tbody tr", has_text="all accounts")
    all_accounts.get_by_text("Largest order in money 1 in the account's currency").wait_for()
    all_accounts.get_by_role("link", name="Change").click()
    page.get_by_label("Largest order in money").fill("")
    page.get_by_role("button", name="See what it would do").click()
    page.fill("#why", "no more")
    page.get_by_role("button", name="Change the limits").click()
    all_accounts.wait_for(state="detached")
    page.get_by_label("Strategy set").select_option("revert")
    page.locator("form", has=page.get_by_label("Strategy set")).get_by_role("button", name="Halt").click()
    page.get_by_text("Only orders that are reduce-only pass").wait_for()
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Halt").click()
    page.get_by_role("link", name="Let it trade revert").click()
    page.fill("#why", "done")
    page.get_by_role("button", name="Let it trade").click()
    page.get_by_text("Nobody but whom a loss has stopped").wait_for()


def test_a_set_is_paused_changed_by_its_form_and_started(new_context, find_violations, server):
    page = shown(new_context(), server, "/sets/")
    page.get_by_role("link", name="revert").click()
    page.get_by_text("running", exact=True).wait_for()
    page.locator("section[aria-labelledby=c-followers] tbody tr").nth(5).wait_for()
    page.get_by_role("link", name="Pause").click()
    page.get_by_text("100 accounts follow it.").wait_for()
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("paused", exact=True).wait_for()
    page.locator("section[aria-labelledby=c-members]").get_by_role("link", name="Change").click()
    number = page.locator(".fields input[type=number]").first
    kept = number.input_value()
    number.fill("999999999")
    page.get_by_role("button", name="See what it would do").click()
    assert "out of bounds" in page.get_by_role("alert").first.inner_text()
    page.locator(".fields input[type=number]").first.fill(str(int(float(kept)) + 1))
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_text("Out: ").wait_for()
    assert find_violations(page) == []
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Define").click()
    page.get_by_text("Set revert is defined.").wait_for()
    page.get_by_role("link", name="Start").click()
    page.fill("#why", "done")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("running", exact=True).wait_for()


def test_a_rule_is_made_raises_an_alert_and_is_acknowledged_silenced_and_removed(new_context, find_violations, server):
    page = shown(new_context(), server, "/alerts/")
    page.get_by_role("link", name="A new rule").click()
    page.get_by_role("link", name="From a bar to the broker takes long").click()
    page.get_by_label("Name").fill("any order")
    page.get_by_label("Raised at").fill("0.001")
    page.get_by_label("Over below").fill("1")
    page.get_by_role("button", name="See what it would do").click()
    assert "it would never be over" in page.get_by_role("alert").first.inner_text()
    page.get_by_label("Over below").fill("0.001")
    page.get_by_label("After seconds").fill("0")
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_text("It is a new rule.").wait_for()
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Set it").click()
    raised = page.locator("section[aria-labelledby=c-open] tbody tr", has_text="any order")
    raised.wait_for()
    counted = page.locator(".side [data-count=alerts] [data-number]")
    counted.wait_for()
    before = int(counted.inner_text())
    assert find_violations(page) == []
    raised.get_by_role("link", name="Acknowledge").click()
    page.get_by_role("button", name="Acknowledge").click()
    raised.get_by_text("looked at by admin").wait_for()
    assert before >= 1
    raised.get_by_label("Silence any order").select_option("15")
    raised.get_by_role("button", name="Silence").click()
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Silence").click()
    raised.get_by_text("silenced until").wait_for()
    page.get_by_role("link", name="Remove any order").click()
    page.fill("#why", "done")
    page.get_by_role("button", name="Remove it").click()
    page.locator("section[aria-labelledby=c-ended] tbody tr", has_text="any order").wait_for()


def test_a_second_factor_is_set_up_asked_for_and_removed(new_context, find_violations, server):
    page = shown(new_context(), server, "/you/")
    page.get_by_role("link", name="Set up an authenticator").click()
    shown_secret = page.locator("section[aria-labelledby=c-factor] code")
    secret = base64.b32decode(shown_secret.inner_text().replace(" ", ""))
    assert find_violations(page) == []
    page.get_by_label("Your password").fill(server.password)
    page.get_by_label("Code that it shows").fill(totp.code_at(secret, int(time.time()) // totp.STEP_SECONDS))
    page.get_by_role("button", name="Sign in with it from now on").click()
    page.get_by_role("heading", name="Codes for when your second factor is lost").wait_for()
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    assert find_violations(page) == []
    other = new_context(storage_state=None).new_page()
    other.goto(f"{server.address}/sign-in/?next=/audit/")
    other.fill("#id_username", "admin")
    other.fill("#id_password", server.password)
    other.keyboard.press("Enter")
    other.get_by_role("heading", name="Second factor").wait_for()
    assert find_violations(other) == []
    other.fill("#code", "no code")
    other.keyboard.press("Enter")
    other.get_by_role("alert").wait_for()
    other.fill("#code", codes[0])
    other.keyboard.press("Enter")
    other.wait_for_url(f"{server.address}/audit/")
    page.goto(f"{server.address}/you/")
    page.locator("section[aria-labelledby=c-factor]").get_by_label("Your password").fill(server.password)
    page.locator("section[aria-labelledby=c-factor]").get_by_label("Code of your authenticator").fill(codes[1])
    page.get_by_role("button", name="Remove it").click()
    page.get_by_role("link", name="Set up an authenticator").wait_for()


def test_a_sweep_is_asked_for_by_form_and_shown_as_a_map_with_its_report(new_context, find_violations, server):
    page = shown(new_context(), server, "/research/")
    page.get_by_role("link", name="A new backtest").click()
    page.get_by_label("Kind").select_option("sweep")
    page.get_by_label("Strategy").select_option("ema_cross")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Instruments").fill("OANDA:NONE")
    page.get_by_label("Interval").fill("1h")
    page.get_by_label("From").fill("2016-01-01")
    page.get_by_label("fast", exact=True).fill("5,10")
    page.get_by_label("slow", exact=True).fill("20,50")
    page.get_by_role("button", name="Begin").click()
    assert "OANDA:NONE" in page.get_by_role("alert").first.inner_text()
    page.get_by_label("Instruments").fill("OANDA:EURUSD")
    page.get_by_role("button", name="Begin").click()
    page.locator(".verdict .badge", has_text="done").wait_for()
    page.locator("svg.heat rect").nth(3).wait_for()
    page.frame_locator("iframe.report").get_by_role("heading", level=1).wait_for()
    assert find_violations(page) == []
    page.get_by_role("link", name="Trade this").first.click()
    page.get_by_label("Trades").wait_for()
    assert page.get_by_label("Trades").input_value() == "OANDA:EURUSD@1h"


def test_a_chart_goes_on_by_itself_and_back_through_history_as_it_is_looked_at(new_context, find_violations, server):
    page = shown(new_context(), server, "/markets/")
    page.get_by_label("Find an instrument").fill("eurusd")
    page.get_by_role("link", name="OANDA:EURUSD").click()
    chart = page.locator("[data-market]")
    page.locator("[data-market][data-marks]:not([data-marks='0'])").wait_for()
    bars = chart.get_attribute("data-bars")
    page.locator(f"[data-market]:not([data-bars='{bars}'])").wait_for()
    box = chart.bounding_box()
    chart.hover(position={"x": box["width"] - 110, "y": box["height"] / 2})  # where bars come in
    page.locator("[data-market-told]", has_text="close 1.3").wait_for()
    page.get_by_text("TradingView Lightweight Charts").wait_for()
    page.get_by_role("button", name="1h", exact=True).click()
    page.wait_for_url("**?interval=1h")
    page.locator("[data-market][data-bars='500']").wait_for()
    chart.focus()
    for _ in range(2_000):  # all that is pressed within one frame moves the chart once
        if chart.get_attribute("data-bars") != "500":
            break
        page.keyboard.press("ArrowLeft")
    page.locator("[data-market]:not([data-bars='500'])").wait_for()
    with page.expect_response(lambda answer: re.search(r"[?&]averages=[^&]", answer.url)) as averaged:
        page.get_by_label("EMA 20").check()
    assert averaged.value.ok
    assert find_violations(page) == []


def test_tabs_of_a_browser_share_one_stream(new_context, server):
    context = new_context()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url) if request.url.endswith("/stream/") else None)
    pages = [shown(context, server) for _ in range(4)]
    for page in pages:
        page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()
    workers = pages[0].evaluate(
        "performance.getEntriesByType('resource').filter(e => e.name.endsWith('/stream/')).length"
    )
    assert workers == 0
    assert len(asked) <= 1


def test_keys_lead_to_search_help_theme_and_pages(new_context, server):
    page = shown(new_context(), server, "/audit/")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.classList.contains('dark')")
    page.keyboard.press("/")
    page.keyboard.type("instr")
    page.locator("#go-found [role=option]", has_text="Instruments").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/feeds/instrument/")
    assert page.evaluate("document.documentElement.classList.contains('dark')")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url(f"{server.address}/")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/orders/")
    page.locator("tbody tr").first.wait_for()  # then accounts are known
    page.keyboard.press("/")
    page.keyboard.type("cedar-07")
    page.locator("#go-found [role=option]", has_text="Orders of CEDAR-07").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts/CEDAR-07/")


def test_times_are_in_the_readers_zone_with_utc_on_hover(new_context, server):
    context = new_context(timezone_id="Asia/Kolkata", locale="en-GB")
    page = shown(context, server, "/you/")
    moment = page.locator("time").first  # at which this one signed in
    told, utc = moment.inner_text(), moment.get_attribute("title")
    assert utc.endswith(" UTC")
    minute = (int(utc[14:16]) + 30) % 60
    assert told.split(":")[1] == f"{minute:02}"
    abroad = shown(new_context(timezone_id="Europe/Zurich", locale="en-GB"), server, "/you/")
    written = abroad.evaluate("[1768478400, 1784116800].map(window.chartTimes(false).timeFormatter)")
    assert written == ["15 Jan 2026, 13:00:00", "15 Jul 2026, 14:00:00"]  # at noon in UTC, and clocks are changed
    assert abroad.evaluate("window.chartTimes(true).timeFormatter(1768435200)") == "15 Jan 2026"


def test_menu_opens_on_a_phone(new_context, server):
    page = shown(new_context(width=390, has_touch=True, is_mobile=True), server)
    link = page.locator("nav.side").get_by_role("link", name="Audit")
    assert not link.is_visible()
    page.get_by_role("button", name="Menu").tap()
    link.tap()
    page.wait_for_url("**/audit/")


def test_a_page_says_that_the_server_is_away_and_heals_when_it_is_back(new_context, server):
    page = shown(new_context(), server)
    page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()
    server.kill()
    page.locator("[data-stale]", has_text="No data for").wait_for()
    assert page.locator("[data-pulse-text]").inner_text() == "not live"
    server.start("--sample")
    page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()
    assert page.locator("[data-stale]").is_hidden()


def test_a_row_in_quarantine_is_corrected_and_let_in(new_context, find_violations, server):
    page = shown(new_context(), server, "/markets/")
    page.locator("main").get_by_role("link", name="Quarantine").click()
    page.get_by_label("Reason", exact=True).select_option("jump")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("section[aria-labelledby=c-rows] tbody tr", has_text="NASDAQ:AAPL")
    rows.first.get_by_role("link", name="NASDAQ:AAPL 1d").click()
    low = page.get_by_label("low", exact=True)
    typed, closed = low.input_value(), page.get_by_label("close", exact=True).input_value()
    low.fill(str(10 * float(closed)))
    page.get_by_role("button", name="See what it would do").click()
    assert "(high-low)" in page.get_by_role("alert").first.inner_text()
    assert find_violations(page) == []
    opened = page.get_by_label("open", exact=True).input_value()
    page.get_by_label("low", exact=True).fill(repr(0.995 * min(float(closed), float(opened))))
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_text("fits the rows that are stored before and after it").wait_for()
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Let it in").click()
    page.get_by_text("Let in: NASDAQ:AAPL 1d").wait_for()
    page.goto(f"{server.address}/markets/quarantine/?state=released")
    rows.first.get_by_role("link", name="NASDAQ:AAPL 1d").click()
    page.get_by_text("Released by admin").wait_for()
    assert page.get_by_role("heading", name="What was let in").is_visible()
    assert typed in page.locator("pre").inner_text()
    assert find_violations(page) == []


def test_a_key_of_the_api_is_made_used_and_revoked(new_context, find_violations, server):
    page = shown(new_context(), server, "/people/")
    page.get_by_role("link", name="API keys").first.click()
    page.get_by_role("link", name="A new key").click()
    page.fill("#name", "the browser's test")
    page.fill("#client", "cedar")
    page.get_by_label("trade orders").check()
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Make it").click()
    written = page.locator("#secret").inner_text()
    assert find_violations(page) == []

    def call():
        return page.request.get(f"{server.address}/api/v1/key", headers={"Authorization": f"Bearer {written}"}).status

    assert call() == 200
    page.get_by_role("link", name="I have taken it").click()
    row = page.locator("tbody tr", has_text="the browser's test")
    assert "read, trade" in row.inner_text()
    assert find_violations(page) == []
    row.get_by_role("link", name="Revoke").click()
    page.fill("#why", "done")
    page.get_by_role("button", name="Revoke it").click()
    page.get_by_text("is revoked.").wait_for()
    assert call() == 401


def test_a_passkey_is_made_signs_in_and_is_removed(new_context, find_violations, server):
    address = server.address.replace("127.0.0.1", "localhost")  # passkeys belong to names
    context = new_context(storage_state=None)
    page = context.new_page()
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    device.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    def sign_in():
        page.goto(f"{address}/sign-in/?next=/you/")
        page.fill("#id_username", "admin")
        page.fill("#id_password", server.password)
        page.keyboard.press("Enter")

    sign_in()
    card = page.locator("section[aria-labelledby=c-passkeys]")
    card.get_by_label("What it is on").fill("laptop")
    card.get_by_label("Your password").fill(server.password)
    card.get_by_role("button", name="Make a passkey").click()
    page.get_by_role("heading", name="Codes for when your second factor is lost").wait_for()
    page.get_by_role("button", name="Account").or_(page.locator("details.who summary")).first.click()
    page.get_by_role("button", name="Sign out").click()
    sign_in()
    page.get_by_role("heading", name="Second factor").wait_for()
    assert find_violations(page) == []
    page.get_by_role("button", name="Use your passkey").click()
    page.wait_for_url(f"{address}/you/")
    assert "used" in card.locator("li", has_text="laptop").inner_text()
    assert find_violations(page) == []
    card.get_by_text("Remove a passkey").click()
    form = card.locator("form", has=page.get_by_label("Which"))
    form.get_by_label("Your password").fill(server.password)
    form.get_by_role("button", name="Use a passkey instead").click()
    form.get_by_text("Your passkey has answered.").wait_for()
    form.get_by_role("button", name="Remove it").click()
    page.get_by_text("counts no more").wait_for()
    assert card.get_by_text("None. A passkey stays").is_visible()
