import json
import os
import re
import subprocess
import sys
from pathlib import Path

from apps.execution.kernels import booking, netting, reports, sizing, values
from apps.risk.kernels import checking, levels, losses, rates, reserving
from settings import warming
from settings.warming import rehearse

MODULES = (booking, netting, reports, sizing, values, checking, levels, losses, rates, reserving)

OF_A_REFUSAL = {"end_orders", "any_gap", "waiting_cells", "pass_decisions"}


def test_a_rehearsal_compiles_the_kernels_that_most_live_decisions_call():
    rehearse()
    called = {
        f"{module.__name__}.{name}": bool(getattr(module, name).signatures)
        for module in MODULES
        for name in re.findall(r"^@kernel\ndef (\w+)", Path(module.__file__).read_text(), flags=re.MULTILINE)
    }
    assert called
    missed = sorted(name for name, is_compiled in called.items() if not is_compiled)
    assert len(missed) <= len(called) / 3, missed
    assert not [name for name in missed if name.rpartition(".")[2] in OF_A_REFUSAL]


def test_who_has_prepared_compiles_nothing_for_several_accounts_and_has_no_linear_algebra():
    done = subprocess.run([sys.executable, "-m", "tests.unit.live.many_accounts"], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == []


def test_what_is_not_kept_yet_is_compiled_by_another_process(tmp_path, monkeypatch):
    told = tmp_path / "told"

    def load():
        with told.open("a") as file:
            file.write(f"{os.getpid()}\n")

    monkeypatch.setattr(warming, "check_spread", lambda: None)
    monkeypatch.setattr(warming, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(warming, "_load", load)
    warming.prepare()
    other, own = told.read_text().split()
    assert own == str(os.getpid()) != other
    warming.prepare()
    assert told.read_text().split() == [other, own, own]


def test_what_could_not_be_compiled_by_another_process_is_tried_there_again(tmp_path, monkeypatch):
    own = os.getpid()

    def load():
        assert os.getpid() == own

    monkeypatch.setattr(warming, "check_spread", lambda: None)
    monkeypatch.setattr(warming, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(warming, "_load", load)
    warming.prepare()
    assert not list(tmp_path.iterdir())
