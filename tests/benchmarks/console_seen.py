"""What somebody sees of the console, and when: a browser that says when a page is drawn and a row is on the screen."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.benchmarks.api_calls import HOST

_PATIENCE_MS = 60_000
_DRAWN = """window.drawn = new Promise((resolve, reject) => {
  const missing = "[data-equity]:not([data-points]), [data-market]:not([data-bars])";
  const look = () => {
    const isThere = document.documentElement?.dataset.ready === "yes" && !document.querySelector(missing);
    requestAnimationFrame(isThere ? () => setTimeout(() => resolve(performance.now())) : look);
  };
  look();
  setTimeout(() => reject(new Error("the page was not drawn")), 60000);
})"""
_WATCH = """([rows, column, text]) => {
  const first = () => document.querySelector(`${rows} tr`);
  const at = (row) => row?.querySelector("time")?.dateTime;
  const before = at(first());
  window.seen = new Promise((resolve, reject) => {
    const observer = new MutationObserver(() => {
      const row = first();
      if (!row || at(row) === before || row.children[column].textContent.replace(/[^\\w-]/g, "") !== text) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.timeOrigin + performance.now())));
    });
    observer.observe(document.querySelector("#live"), { childList: true, subtree: true });
    setTimeout(() => reject(new Error(`no row with ${text} came`)), 60000);
  });
  window.seen.catch(() => {});
}"""


class View(NamedTuple):
    """Seconds from asking for a page until its first byte came, and until it was drawn with its charts."""

    first_byte: float
    drawn: float


class Screen:
    """A page of the console in a browser, of somebody who is signed in."""

    def __init__(self, page: Any, address: str) -> None:
        self._page = page
        self._address = address

    def open(self, path: str) -> View:
        """Go to a page, and wait until it is drawn."""
        answer = self._page.goto(self._address + path)
        assert answer.status == 200, (path, answer.status)
        drawn_ms = self._page.evaluate("window.drawn")
        first_ms = self._page.evaluate("performance.getEntriesByType('navigation')[0].responseStart")
        return View(first_ms / 1e3, drawn_ms / 1e3)

    def wait_until_live(self) -> None:
        """Wait until the page hears what happens."""
        self._page.locator("[data-pulse]").get_by_text("live", exact=True).wait_for()

    def watch(self, rows: str, column: int, text: str) -> None:
        """Watch from now on for a new first row that has a text in a column, signs left out."""
        self._page.evaluate(_WATCH, [rows, column, text])

    def seen_ns(self) -> int:
        """Wait until what is watched for is on the screen; return since when, in ns since 1970 UTC."""
        return int(self._page.evaluate("window.seen") * 1e6)

    def link(self, path: str, selector: str) -> str:
        """Return where the first link of a page leads."""
        self.open(path)
        found: str = self._page.locator(selector).first.get_attribute("href")
        return found


@contextmanager
def screen(port: int) -> Iterator[Screen]:
    """Give a browser in which a new administrator has signed in. Raises RuntimeError where there is none to be had."""
    from django.contrib.auth import get_user_model
    from playwright.sync_api import sync_playwright

    from tests.conftest import find_chromium

    chromium = find_chromium()
    if chromium is None:
        raise RuntimeError("there is no Chromium: install chromium")
    name, password = f"bench-{secrets.token_hex(4)}", secrets.token_urlsafe()
    get_user_model()._default_manager.create_superuser(name, password=password)
    address = f"http://{HOST}:{port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(f"{address}/sign-in/")
        page.fill("#id_username", name)
        page.fill("#id_password", password)
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        page.wait_for_url(f"{address}/")
        page.add_init_script(_DRAWN)
        yield Screen(page, address)
        browser.close()
