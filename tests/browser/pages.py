"""The pages of the console that are looked at one by one, and how one is opened."""

from typing import Any

from tests.browser.console_server import ConsoleServer

SECONDS = 1000
"""Playwright counts milliseconds."""
PAGES = (
    "/",
    "/orders/",
    "/orders/?account=NOBODY",
    "/accounts/",
    "/accounts/BIRCH-01/",
    "/markets/",
    "/markets/OANDA:EURUSD/",
    "/markets/feeds/oanda/",
    "/markets/feeds/oanda/quarantine/",
    "/markets/quarantine/",
    "/extraction/",
    "/extraction/risk/",
    "/extraction/risk/plan/",
    "/research/",
    "/research/jobs/",
    "/research/jobs/new/?kind=sweep&strategy=ema_cross",
    "/sets/",
    "/sets/trend/",
    "/sets/+/?set=trend&member=0",
    "/risk/",
    "/risk/limits/",
    "/alerts/",
    "/alerts/rule/?measure=lag",
    "/streams/",
    "/streams/?context=signals&key=trend",
    "/streams/signals/trend/1/",
    "/configuration/",
    "/people/",
    "/keys/",
    "/keys/new/",
    "/people/admin/",
    "/you/",
    "/audit/",
    "/dead-letters/",
    "/act/trading.halt/",
    "/act/kill-switch.throw/",
    "/nowhere/",
)
RECORDS = ("/admin/", "/admin/feeds/instrument/", "/admin/feeds/series/", "/admin/auth/user/add/")


def shown(context: Any, server: ConsoleServer, path: str = "/") -> Any:
    """Open a page and wait until its scripts are ready."""
    page = context.new_page()
    page.goto(server.address + path)
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    return page
