"""Pages in a real browser: reports, which must stay silent and fetch nothing, and the console over a pipeline."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.console_server import ConsoleServer
from tests.browser.pages import PATIENCE_MS

Open = Callable[..., Any]

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"


@pytest.fixture
def open_report(browser: Any) -> Iterator[Open]:
    """Opens a report from its file; at the end of the test there must be no error and no request but for the file."""
    told: list[str] = []
    contexts: list[Any] = []

    def open_(path: Path, *, width: int = 1440, dark: bool = False, **options: Any) -> Any:
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=False, offline=True, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda message: told.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: told.append(f"error: {error}"))
        page.on("request", lambda request: told.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready=yes]", state="attached")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [text for text in told if not text.startswith(("data:", "blob:"))] == []


@pytest.fixture
def find_violations() -> Callable[[Any], list[str]]:
    """Runs axe-core on a page and gives what it found: rule, where, and why."""

    def find(page: Any) -> list[str]:
        # As a script of the debugger, so that the page's policy, which lets no other script run, stays in force.
        page.evaluate(AXE.read_text("utf-8"))
        found = page.evaluate("async () => (await axe.run()).violations")
        return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]

    return find


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[ConsoleServer]:
    """The console over the sample, and a pipeline that trades; the last module that needs it stops it."""
    made = ConsoleServer(tmp_path_factory.mktemp("console"))
    try:
        made.start("--sample")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def signed_in(browser, server) -> dict[str, Any]:
    """The cookies of somebody who has signed in."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{server.address}/audit/")
    assert page.url == f"{server.address}/sign-in/?next=/audit/"
    page.fill("#id_username", "admin")
    page.fill("#id_password", server.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.address}/audit/")
    state: dict[str, Any] = context.storage_state()
    context.close()
    return state


@pytest.fixture
def new_context(browser, signed_in) -> Iterator[Open]:
    """A browser of its own for somebody who is signed in: wide or narrow, light or dark. Nothing may go wrong in it."""
    made: list[Any] = []
    told: list[str] = []

    def new(*, width: int = 1440, dark: bool = False, **more: Any) -> Any:
        scheme = "dark" if dark else "light"
        options = {"storage_state": signed_in, "viewport": {"width": width, "height": 900}, "color_scheme": scheme}
        context = browser.new_context(**{**options, **more})
        context.set_default_timeout(PATIENCE_MS)
        context.on("page", lambda page: page.on("pageerror", lambda error: told.append(str(error))))
        context.on("console", lambda message: told.append(message.text) if _is_ours(message) else None)
        made.append(context)
        return context

    yield new
    for context in made:
        context.close()
    assert told == []


def _is_ours(message: Any) -> bool:
    return message.type == "error" and "Failed to load resource" not in message.text
