"""Pictures of the console, for the docs and to be looked at: `make screenshots`.

Serves the sample on databases of its own, waits until it trades, and takes each picture of `SHOTS` into
docs/screenshots; with `--all FOLDER` every page there is, wide and narrow, light and dark, in its whole length.
"""

import argparse
import io
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.browser.console_server import ConsoleServer
from tests.browser.pages import PATIENCE_MS
from tests.conftest import find_chromium

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
KILOBYTES_MAX = 150
READY = "html[data-ready=yes]"


class Shot(NamedTuple):
    """A picture: its name, the page, how wide, and in which colours."""

    name: str
    path: str
    width: int = 1440
    dark: bool = False


WAYS = ((1440, False, ""), (1440, True, "-dark"), (390, False, "-phone"), (390, True, "-phone-dark"))
"""Wide and narrow, light and dark, with what each adds to a picture's name."""
WHOLE = (
    ("overview", "/"), ("account", "/accounts/CEDAR-07/"), ("instrument", "/markets/OANDA:EURUSD/"), ("risk", "/risk/"),
)  # fmt: skip
"""The pages that are shown in all ways."""
SHOTS = (
    *(Shot(name + more, path, width, dark) for name, path in WHOLE for width, dark, more in WAYS),
    Shot("orders-dark", "/orders/", dark=True),
    Shot("order", "{order}"),
    Shot("followed", "{followed}"),
    Shot("set", "/sets/trend/"),
    Shot("set-change", "/act/set.configure/?set=trend&settings=multiplier%3D0.5"),
    Shot("settings-phone", "/accounts/CEDAR-07/settings/?set=trend", 390),
    Shot("alerts-phone-dark", "/alerts/", 390, True),
    Shot("extraction-dark", "/extraction/risk/plan/", dark=True),
)
MORE = (
    "/fills/", "/orders/unknown/", "/orders/+/?account=CEDAR-07", "/accounts/CEDAR-07/settings/",
    "/research/jobs/new/?kind=walkforward&strategy=ema_cross",
    "/alerts/", "/alerts/rule/?measure=lag", "/people/", "/people/admin/", "/you/", "/you/?second=1", "/research/jobs/",
    "/research/jobs/new/?kind=sweep&strategy=ema_cross",
    "/keys/", "/keys/new/", "/markets/quarantine/", "/markets/quarantine/1/", "/markets/feeds/oanda/quarantine/",
    "/research/jobs/new/?kind=backtest&strategy=ema_cross",
    "/markets/", "/markets/feeds/oanda/", "/sets/", "/sets/+/?set=trend&member=0", "/risk/limits/", "/research/",
    "/research/compare/", "{compared}", "{run}", "/extraction/", "/extraction/risk/", "/extraction/risk/readiness/",
    "/streams/", "{step}", "/dead-letters/", "/configuration/", "/audit/", "/accounts/", "/act/trading.halt/",
)  # fmt: skip


def main() -> None:
    """Take the pictures. Ends with an error where one is larger than it may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, to be looked at")
    wanted = parser.parse_args()
    with _served() as server, _browser() as browser:
        signed_in = _sign_in(browser, server)
        found = _places(browser, server, signed_in)
        shots = SHOTS
        if wanted.all is not None:
            paths = dict.fromkeys([*(each.path for each in SHOTS), *MORE])
            ways = [(width, dark) for width in (1440, 390) for dark in (False, True)]
            shots = tuple(
                Shot(f"{at:02}{path.translate(_PLAIN)}-{width}{'-dark' * dark}", path, width, dark)
                for at, path in enumerate(paths)
                for width, dark in ways
            )
        folder = wanted.all or FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for shot in shots:
            picture = _taken(browser, server, signed_in, shot._replace(path=shot.path.format(**found)), wanted.all)
            (folder / f"{shot.name}.png").write_bytes(picture)
            sys.stdout.write(f"{shot.name}.png {len(picture) / 1000:.0f} kB\n")
            if wanted.all is None and len(picture) > KILOBYTES_MAX * 1000:
                raise SystemExit(f"{shot.name}.png is larger than {KILOBYTES_MAX} kB")


_PLAIN = str.maketrans(dict.fromkeys("/?&=:{}+", "_"))


@contextmanager
def _served() -> Iterator[ConsoleServer]:
    with tempfile.TemporaryDirectory() as folder:
        server = ConsoleServer(Path(folder))
        try:
            server.start("--sample")
            runs = [("ema_cross", "fast=10"), ("ema_cross", "fast=20"), ("sma_cross", "fast=10")]
            for strategy, parameter in runs:
                server.manage("backtest", strategy, "--instrument", "OANDA:EURUSD", "--interval", "1h", "-p", parameter)
            yield server
        finally:
            server.stop()


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield chromium
        chromium.close()


def _sign_in(browser: Any, server: ConsoleServer) -> dict[str, Any]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server.address}/sign-in/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", server.password)
    page.keyboard.press("Enter")
    page.wait_for_selector(READY, state="attached")
    state: dict[str, Any] = context.storage_state()
    context.close()
    return state


def _places(browser: Any, server: ConsoleServer, signed_in: dict[str, Any]) -> dict[str, str]:
    """Wait until the sample has traded a while, and return the pages that only then exist."""
    context = browser.new_context(storage_state=signed_in)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{server.address}/orders/?state=filled")
    page.locator("tbody tr").nth(20).wait_for()
    order = page.locator("tbody tr td a").first.get_attribute("href")
    threading.Event().wait(40)  # so that there are a few minutes of something to see
    page.goto(server.address + order)
    followed = page.get_by_role("link", name="Follow its message").get_attribute("href")
    page.goto(server.address + followed)
    step = page.locator("tbody th a").nth(2).get_attribute("href")
    page.goto(f"{server.address}/research/")
    runs = [each.get_attribute("value") for each in page.locator("input[name=run]").all()]
    context.close()
    compared = "/research/compare/?" + "&".join(f"run={each}" for each in runs)
    return {"order": order, "followed": followed, "step": step, "run": f"/research/{runs[0]}/", "compared": compared}


def _taken(browser: Any, server: ConsoleServer, signed_in: dict[str, Any], shot: Shot, whole: Path | None) -> bytes:
    context = browser.new_context(
        storage_state=signed_in, viewport={"width": shot.width, "height": 900 if shot.width > 700 else 844},
        color_scheme="dark" if shot.dark else "light", locale="en-GB", timezone_id="Europe/Zurich",
    )  # fmt: skip
    page = context.new_page()
    page.goto(server.address + shot.path)
    page.wait_for_selector(READY, state="attached")
    page.wait_for_load_state("load")
    chart = page.locator("[data-equity], [data-market]")
    if chart.count():
        page.locator("[data-points], [data-bars]").first.wait_for(state="attached")
    page.wait_for_timeout(600)  # charts are drawn with the next frames
    picture: bytes = page.screenshot(full_page=whole is not None)
    context.close()
    return _smaller(picture)


def _smaller(picture: bytes) -> bytes:
    """Return a picture with the 256 colours that it has most of."""
    from PIL import Image

    made = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as opened:
        opened.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


if __name__ == "__main__":
    main()
