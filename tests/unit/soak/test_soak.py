"""What a soak runs, counts, and writes down."""

import json
import subprocess
import sys
from pathlib import Path

from hypothesis import settings

from tests.profiles import SOAK, examples
from tests.soak.page import BEGIN, END, Soak, keep

ROOT = Path(__file__).parents[3]
TESTS = """
from hypothesis import given, strategies as st
from tests.profiles import examples

@given(st.integers())
def test_that_holds(number):
    assert number == number

@examples(0.1)
@given(st.integers())
def test_that_is_slower(number):
    assert number == number

@given(st.integers(0, 1_000_000))
def test_that_fails(number):
    assert number < 1000

def test_that_draws_nothing():
    raise AssertionError
"""


def test_only_property_tests_are_run_and_their_examples_counted(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "tests.soak.plugin", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(tmp_path), "-p", "tests.profiles", "-p", "no:cacheprovider"]
    command += [f"--hypothesis-profile={SOAK}", "--hypothesis-seed=3", f"--soak-counts={tmp_path / 'counts.json'}"]
    ended = subprocess.run(
        [*command, str(tmp_path / "test_some.py")], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    counts = {
        name.partition("::")[2]: each for name, each in json.loads((tmp_path / "counts.json").read_text()).items()
    }
    many = settings.get_profile(SOAK).max_examples
    assert counts["test_that_holds"] == {"examples": many, "failed": False}
    assert counts["test_that_is_slower"] == {"examples": many // 10, "failed": False}
    assert counts["test_that_fails"]["failed"]
    assert counts["test_that_fails"]["examples"] > 1
    assert len(counts) == 3


def test_share_of_examples_is_of_the_profile() -> None:
    assert examples(0.5).max_examples == settings.default.max_examples // 2
    assert examples(1e-9).max_examples == 1


def soaked() -> Soak:
    soak = Soak()
    for seed, failed in ((7, False), (8, True)):
        tests = {"a/test_x.py::test_one": {"examples": 1000, "failed": failed}}
        tests["a/test_x.py::test_two[1]"] = {"examples": 500, "failed": False}
        soak.add(seed, 90.0, tests)
    return soak


def test_rounds_are_added_up() -> None:
    soak = soaked()
    assert soak.examples == 3000
    assert soak.failures == {"a/test_x.py::test_one": [8]}
    told = "2 property tests, 3,000 examples, 1 failed; 2 rounds in 3 minutes, seeds 7 to 8"
    assert soak.summary() == told


def test_page_is_rewritten_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "soak.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    keep(soaked(), page)
    keep(soaked(), page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert text.count("| `a/test_x.py` | 2 | 3,000 |") == 1
    assert "- FAILED: `a/test_x.py::test_one` with seeds 8" in text
    assert text.count(BEGIN) == 1


def test_the_page_of_this_project_has_the_marks() -> None:
    text = (ROOT / "docs" / "soak.md").read_text()
    assert text.index(BEGIN) < text.index(END)
