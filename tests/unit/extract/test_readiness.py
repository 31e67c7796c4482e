import json
from pathlib import Path

import pytest

from extract.readiness import CHECKS, RATCHET, beyond, counts, scan, tighten

CONTEXTS = ("feeds", "signals", "execution", "risk")
PLANTED = {
    "imports": ("apps/execution/a.py", "x = 1\nfrom apps.risk.state import RiskState\n", 2),
    "calls": ("apps/execution/b.py", "from apps.risk.interface import set_limits\n", 1),
    "queries": ("apps/execution/c.py", "\n\nLimit.objects.using('risk').all()\n", 3),
    "relations": ("apps/execution/models.py", "class A:\n    limit = models.ForeignKey('risk.Limit', 1)\n", 2),
    "get_model": ("settings/d.py", "apps.get_model('risk.Limit')\n", 1),
    "transactions": ("apps/execution/e.py", "with transaction.atomic(using='risk'):\n    pass\n", 1),
    "non-determinism": ("apps/risk/core.py", "import time\n\n\ndef decide():\n    return time.time()\n", 5),
    "schemas": ("apps/risk/contracts.py", "@message('risk.new-thing.v1')\nclass NewThing:\n    pass\n", 2),
}


@pytest.mark.parametrize("check", CHECKS)
def test_what_stands_in_the_way_is_found_with_file_and_line(tmp_path: Path, check):
    name, text, line = PLANTED[check]
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    [found] = [each for each in scan("risk", tmp_path) if each.check == check]
    assert (found.path, found.line) == (name, line)
    assert scan("signals", tmp_path) == []


def test_what_others_may_use_and_what_is_ones_own_is_no_finding(tmp_path: Path):
    folder = tmp_path / "apps" / "risk"
    folder.mkdir(parents=True)
    (folder / "models.py").write_text("from apps.execution.contracts import A\nfrom apps.risk.state import B\n")
    (folder / "interface.py").write_text("import time\nnow = time.time()\n")
    assert scan("risk", tmp_path) == []


def test_the_ratchet_lets_numbers_fall_and_never_rise(tmp_path: Path):
    ratchet = tmp_path / "readiness.json"
    tighten("risk", {"imports": 3, "calls": 2}, ratchet)
    assert beyond("risk", {"imports": 3, "calls": 2}, ratchet) == []
    tighten("risk", {"imports": 1, "calls": 5}, ratchet)
    assert json.loads(ratchet.read_text())["risk"] == {"calls": 2, "imports": 1}
    assert beyond("risk", {"imports": 2, "calls": 2}, ratchet) == ["imports: 2, where 1 were"]


@pytest.mark.parametrize("context", CONTEXTS)
def test_no_context_is_less_ready_than_it_was(context):
    found = scan(context)
    worse = beyond(context, counts(found), RATCHET)
    assert worse == [], f"mend it, or raise the number in {RATCHET.name}: {found}"
