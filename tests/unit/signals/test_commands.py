"""list_strategies, new_strategy and check_strategy, as they are typed."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

ROOT = Path(__file__).parents[3]


def typed(*words):
    out = io.StringIO()
    call_command(*words, stdout=out, no_color=True)
    return out.getvalue()


def test_list_strategies_shows_every_strategy_with_parameters_and_ranges():
    listed = typed("list_strategies")
    assert "sma_cross  Long while SMA(fast) > SMA(slow)" in listed
    assert "fast=20 (1 to 5000)  slow=50 (1 to 5000)  side=long (long, both)" in listed
    assert "momentum_rank" in listed


def test_list_strategies_tells_all_of_one():
    page = typed("list_strategies", "pairs_zscore")
    assert "channels 2   sizing weights" in page
    assert "deviations from average to enter" in page


def test_list_strategies_writes_json():
    listed = {each["name"]: each for each in json.loads(typed("list_strategies", "--json"))}
    assert len(listed) == 12
    fast = listed["sma_cross"]["parameters"][0]
    assert (fast["name"], fast["default"], fast["low"], fast["sweep"][:2]) == ("fast", 20, 1, [5, 10])
    assert listed["rsi_reversion"]["settles_bars"] is None


@pytest.mark.parametrize("command", ["list_strategies", "check_strategy"])
def test_an_unknown_strategy_is_wrong_usage(command):
    with pytest.raises(CommandError, match="did you mean sma_cross") as caught:
        typed(command, "sma_cros")
    assert caught.value.returncode == 2


def test_check_strategy_prints_a_verdict_for_every_check():
    printed = typed("check_strategy", "sma_cross", "--param", "fast=5", "--bars", "300")
    assert "sma_cross  fast=5  slow=50  side=long  on 300 x SPY 1d" in printed
    assert printed.count("PASS") == 16
    assert "every check that applies holds" in printed


def test_check_strategy_exits_with_1_when_a_check_fails(tmp_path):
    path = tmp_path / "hasty.py"
    path.write_text(
        "from apps.signals.interface import NoParams, NoState, strategy\nfrom trading.bars import Bar\n"
        "@strategy(warmup=lambda params: 5)\n"
        "def hasty(_state: NoState, bar: Bar, _params: NoParams) -> float:\n    return 1.0\n"
    )
    out = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("check_strategy", str(path), "--json", bars=300, stdout=out)
    assert caught.value.code == 1
    found = json.loads(out.getvalue())
    assert found["failed"] == 2
    assert [each["check"] for each in found["samples"]["SPY 1d"] if each["holds"] is False] == ["warm up"]


def test_check_strategy_refuses_a_wrong_parameter():
    for assignment, complaint in (("fast", "write NAME=VALUE"), ("fast=0", "out of bounds"), ("x=1", "no parameter x")):
        with pytest.raises(CommandError, match=complaint) as caught:
            typed("check_strategy", "sma_cross", "--param", assignment)
        assert caught.value.returncode == 2


def test_check_strategy_tells_file_and_line_of_a_strategy_that_cannot_be_compiled(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(
        "from apps.signals.interface import NoParams, NoState, strategy\nfrom trading.bars import Bar\n"
        "@strategy()\ndef broken(_state: NoState, bar: Bar, _params: NoParams) -> float:\n    return bar.clos\n"
    )
    with pytest.raises(CommandError, match=r"broken.py:5: cannot be compiled: Unknown attribute 'clos'") as caught:
        typed("check_strategy", str(path))
    assert caught.value.returncode == 1


def test_a_new_strategy_passes_its_test_the_checks_the_linter_and_the_types(tmp_path):
    assert "check_strategy" in typed("new_strategy", "my_trend", "--dir", str(tmp_path / "new"))
    path, test = tmp_path / "new/my_trend.py", tmp_path / "new/test_my_trend.py"
    assert "every check that applies holds" in typed("check_strategy", str(path), "--bars", "300")
    settings = str(ROOT / "pyproject.toml")
    for words in (
        ["pytest", "-q", "-p", "no:cacheprovider", "-c", settings, "--rootdir", str(ROOT), str(test)],
        ["ruff", "check", "--config", settings, str(path.parent)],
        ["ruff", "format", "--check", "--config", settings, str(path.parent)],
        [
            "mypy",
            "--config-file",
            settings,
            "--strict",
            "--follow-imports=silent",
            "--allow-untyped-decorators",
            str(path),
        ],
    ):
        done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"


def test_new_strategy_overwrites_nothing(tmp_path):
    (tmp_path / "test_mine.py").write_text("precious")
    with pytest.raises(CommandError, match="already there") as caught:
        typed("new_strategy", "mine", "--dir", str(tmp_path))
    assert caught.value.returncode == 2
    assert [each.name for each in tmp_path.iterdir()] == ["test_mine.py"]
    assert (tmp_path / "test_mine.py").read_text() == "precious"


@pytest.mark.parametrize("name", ["My Trend", "1st", "class", "../up", "sma_cross"])
def test_new_strategy_refuses_a_name_that_cannot_be_one(name, tmp_path):
    with pytest.raises(CommandError):
        typed("new_strategy", name, "--dir", str(tmp_path))
    assert not list(tmp_path.iterdir())
