"""What an operator does with one account in a real browser: settings by level, orders by hand, and what is printed."""

import re

import pytest

from tests.browser.pages import shown

pytestmark = pytest.mark.chromium


def test_a_setting_is_changed_at_the_level_of_an_account_and_of_a_set(new_context, find_violations, server):
    page = shown(new_context(), server, "/accounts/DUNMORE-05/")
    settings = page.locator("section[aria-labelledby=c-settings]")
    settings.locator("tbody tr", has_text="multiplier").first.wait_for()
    settings.get_by_role("link", name="Change the account’s own").click()
    page.get_by_label("multiplier").fill("half")
    page.get_by_role("button", name="See what it would do").click()
    assert "'half' is no number" in page.get_by_role("alert").first.inner_text()
    assert find_violations(page) == []
    page.get_by_label("multiplier").fill("0.5")
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_text("In trend: multiplier from 1 to 0.5.").wait_for()
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Change them").click()
    page.get_by_text("Asked: settings of DUNMORE-05.").wait_for()
    held = settings.locator("tbody tr", has_text="multiplier").first
    held.get_by_text("account", exact=True).wait_for()
    assert "0.5" in held.inner_text()
    page.goto(f"{server.address}/sets/revert/settings/")
    page.get_by_label("Most lots").fill("2000000")
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_text("For 100 of 100 accounts that follow it: most lots from no limit to 2000000.").wait_for()
    page.fill("#why", "the browser's test")
    page.fill("#word", "ALL")
    page.get_by_role("button", name="Change it for all").click()
    card = page.locator("section[aria-labelledby=c-for-all]")
    card.locator("strong", has_text="2000000").wait_for()
    card.get_by_text("shards have it so far").wait_for(state="detached")
    assert find_violations(page) == []


@pytest.mark.soak  # a minute, for the bars by which it is priced
def test_an_order_by_hand_is_previewed_placed_works_and_is_cancelled(new_context, find_violations, server):
    page = shown(new_context(), server, "/accounts/DUNMORE-06/")
    page.get_by_role("link", name="Place an order").click()
    page.get_by_label("Instrument").fill("oanda:eurusd")
    page.get_by_label("Lots").fill("1000")
    page.get_by_label("Limit").fill("1.2")
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_text("Buys 1,000 lots of OANDA:EURUSD for DUNMORE-06, limit 1.2").wait_for()
    page.fill("#why", "the browser's test")
    page.get_by_role("button", name="Place it").click()
    works = page.locator("section[aria-labelledby=c-working] tbody tr", has_text="manual")
    works.get_by_text("working", exact=True).wait_for()
    assert find_violations(page) == []
    works.get_by_role("link", name="Cancel").click()
    page.fill("#why", "done")
    page.get_by_role("button", name="Cancel it").click()
    works.wait_for(state="detached")
    page.goto(f"{server.address}/fills/?account=CEDAR-08")
    page.locator("main tbody tr").first.wait_for()
    assert find_violations(page) == []


def test_numbers_are_written_as_the_reader_writes_them(new_context, server):
    german = shown(new_context(locale="de-DE"), server)
    german.get_by_text("equity of 100 accounts").wait_for()
    assert re.fullmatch(r"\d{1,3}(\.\d{3})+ USD", german.locator("section[aria-labelledby=c-money] .big").inner_text())
    indian = shown(new_context(locale="en-IN"), server)
    equity = indian.locator("section[aria-labelledby=c-money] .big").inner_text()
    assert re.fullmatch(r"\d{1,3}(,\d{2})*,\d{3} USD", equity), equity
    assert "," in equity


@pytest.mark.soak
def test_a_printed_page_has_the_whole_of_it_and_nothing_to_click(new_context, server):
    page = shown(new_context(dark=True), server, "/accounts/CEDAR-09/")
    page.locator("section[aria-labelledby=c-fills] tbody tr").first.wait_for()
    page.emulate_media(media="print")
    assert not page.locator("nav.side").is_visible()
    assert not page.get_by_role("link", name="Flatten").is_visible()
    assert page.locator("section[aria-labelledby=c-fills] tbody tr").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    page.set_viewport_size({"width": 720, "height": 1000})  # of a sheet of A4
    assert page.evaluate("document.documentElement.scrollWidth") <= 720


def test_a_first_visit_explains_itself_until_it_is_closed(new_context, server):
    context = new_context()
    page = shown(context, server)
    first = page.locator("details.first")
    assert first.get_by_text("load_sample_trading --remove").is_visible()
    first.locator("summary").click()
    assert not first.get_by_text("load_sample_trading --remove").is_visible()
    again = shown(context, server)
    assert not again.locator("details.first").get_by_text("load_sample_trading --remove").is_visible()
    narrow = shown(new_context(width=390), server)
    assert not narrow.locator("details.first").get_by_text("load_sample_trading --remove").is_visible()
    assert narrow.locator("details.first summary").is_visible()
