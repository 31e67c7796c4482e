"""What is said of security: of packages what `make check` finds, and that each promise has the test that it names."""

import importlib.util
import re
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci/audit-packages"
GOOD = {"name": "good", "version": "1.0", "vulns": []}
BAD = {
    "name": "bad", "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fix_versions": ["2.1", "3.0"], "description": "…"}],
}  # fmt: skip
PASSED_OVER = {"name": "private", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def audit(monkeypatch):
    loader = SourceFileLoader("audit_packages", str(SCRIPT))
    spec = importlib.util.spec_from_loader("audit_packages", loader)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.delenv("AUDIT", raising=False)

    def reports(**by_service):
        def ask(service):
            found = by_service.get(service)
            return None if found is None else module.verdict_of({"dependencies": found, "fixes": []})

        monkeypatch.setattr(module, "ask", ask)
        return module

    return reports


def test_a_finding_fails_and_says_what_mends_it(audit, capsys):
    assert audit(pypi=[GOOD, BAD]).main() == 1
    assert "VULNERABLE  bad 2.0: PYSEC-1, mended in 2.1, 3.0" in capsys.readouterr().out


def test_a_finding_that_was_looked_at_is_excused_by_any_of_its_names(audit, monkeypatch):
    module = audit(pypi=[GOOD, BAD])
    monkeypatch.setitem(module.EXCUSED, "CVE-2026-1", "that part of it is not used")
    assert module.main() == 0


def test_without_findings_it_says_how_many_were_looked_at(audit, capsys):
    assert audit(pypi=[GOOD, GOOD, PASSED_OVER]).main() == 0
    told = capsys.readouterr().out
    assert "2 packages were checked by pypi: 0 findings." in told
    assert "NOT CHECKED by pypi, which does not know them: private" in told


@pytest.mark.parametrize("reports", [{}, {"pypi": [PASSED_OVER, PASSED_OVER]}, {"pypi": [PASSED_OVER], "osv": []}])
def test_where_nobody_could_be_asked_it_says_so_and_a_release_fails(audit, capsys, monkeypatch, reports):
    module = audit(**reports)
    assert module.main() == 0
    assert "NOT CHECKED for known vulnerabilities" in capsys.readouterr().err
    monkeypatch.setenv("AUDIT", "required")
    assert module.main() == 1


def test_where_the_first_knows_nothing_the_second_is_asked(audit):
    assert audit(pypi=[PASSED_OVER], osv=[BAD]).main() == 1


def test_what_is_no_report_is_taken_for_a_service_that_could_not_be_asked(audit, monkeypatch):
    module = audit()
    monkeypatch.undo()
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    assert module.ask("pypi") is None


def test_each_promise_names_a_test_that_there_is():
    root = SCRIPT.parents[1]
    (promises,) = re.findall(r"## What is promised\n(.*?)\n## ", (root / "docs/security.md").read_text(), re.DOTALL)
    rows = [line.split("|")[1:-1] for line in promises.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 20
    for promise, _, named in rows:
        folder = root / "tests/integration"
        tests = re.findall(r"`([^`]+)`", named)
        assert tests, promise
        for name in tests:
            base = root if name.startswith("tests/") else root / "tests/integration" if "/" in name else folder
            assert (base / name).exists(), f"{promise}: {name}"
            folder = (base / name).parent
