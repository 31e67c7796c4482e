"""A plugin of pytest that runs property tests only, and counts the examples that each of them has tried."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import is_hypothesis_test

_COUNT = "examples"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the file to which the counts go."""
    parser.addoption("--soak-counts", default="", help="write the examples of each property test to this file")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out every test that draws no examples."""
    drawn = [item for item in items if is_hypothesis_test(getattr(item, "obj", None))]
    config.hook.pytest_deselected(items=[item for item in items if item not in drawn])
    items[:] = drawn


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: Any) -> Iterator[None]:
    """Count the calls of what the test does with each example; those of a state machine are not told."""
    handle = getattr(item.obj, "hypothesis", None)
    if handle is None:
        return (yield)
    inner = handle.inner_test
    tried = 0

    @functools.wraps(inner)
    def counting(*args: Any, **kwargs: Any) -> Any:
        nonlocal tried
        tried += 1
        return inner(*args, **kwargs)

    handle.inner_test = counting
    try:
        return (yield)
    finally:
        handle.inner_test = inner
        item.user_properties.append((_COUNT, tried))


class Counts:
    """What each test has tried, as its reports come in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a report."""
        test = self.tests.setdefault(report.nodeid, {"examples": 0, "failed": False})
        test["failed"] |= report.failed
        if report.when == "call":
            test["examples"] += dict(report.user_properties).get(_COUNT, 0)

    def pytest_sessionfinish(self) -> None:
        """Write the counts."""
        self.path.write_text(json.dumps(self.tests))


def pytest_configure(config: pytest.Config) -> None:
    """Count where the run is told of: in its controller."""
    if config.getoption("--soak-counts") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Counts(Path(config.getoption("--soak-counts"))))
