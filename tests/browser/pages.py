"""The pages of the console that are looked at one by one, and how one is opened."""

from typing import Any

from tests.browser.console_server import ConsoleServer
from tests.patience import PATIENCE_SECONDS

PATIENCE_MS = 1_000 * PATIENCE_SECONDS


def pages_of(account: str, set_: str, instrument: str = "OANDA:EURUSD") -> tuple[str, ...]:
    """Return the addresses of all pages, of an account, a set and an instrument that there are."""
    return (
        "/", "/orders/", "/orders/?account=NOBODY", "/orders/unknown/", f"/orders/+/?account={account}", "/fills/",
        "/accounts/", f"/accounts/{account}/", f"/accounts/{account}/settings/",
        f"/accounts/{account}/settings/?set={set_}", "/markets/",
        f"/markets/{instrument}/", "/markets/quarantine/", "/extraction/", "/extraction/risk/",
        "/extraction/risk/plan/", "/research/", "/research/jobs/",
        "/research/jobs/new/?kind=sweep&strategy=ema_cross", "/sets/", f"/sets/{set_}/",
        f"/sets/{set_}/settings/",
        f"/sets/+/?set={set_}&member=0", "/risk/", "/risk/limits/", "/alerts/", "/alerts/rule/?measure=lag",
        "/streams/", f"/streams/?context=signals&key={set_}", f"/streams/signals/{set_}/1/", "/configuration/",
        "/people/", "/keys/", "/keys/new/", "/people/admin/", "/you/", "/audit/", "/dead-letters/",
        "/act/trading.halt/", "/act/kill-switch.throw/", "/nowhere/",
    )  # fmt: skip


PAGES = (*pages_of("BIRCH-01", "trend"), "/markets/feeds/oanda/", "/markets/feeds/oanda/quarantine/")
RECORDS = ("/admin/", "/admin/feeds/instrument/", "/admin/feeds/series/", "/admin/auth/user/add/")


def shown(context: Any, server: ConsoleServer, path: str = "/") -> Any:
    """Open a page and wait until its scripts are ready."""
    page = context.new_page()
    page.goto(server.address + path)
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    return page
