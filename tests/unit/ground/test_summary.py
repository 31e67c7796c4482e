"""A run without a real service says so, and under CI fails where it could have been installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NEEDS_KAFKA = "tests/integration/kafka/test_topics.py::test_a_plan_is_applied_once_and_then_stands"


def run_without_java(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "PYTEST_"))}
    environment |= {"PATH": str(folder), **variables}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", NEEDS_KAFKA]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("ci", "code", "said"), [("true", 1, "1 error"), ("", 0, "1 skipped")])
def test_a_run_without_java_fails_in_ci_and_says_elsewhere_what_was_not_tried(tmp_path, ci, code, said):
    done = run_without_java(tmp_path, CI=ci)
    assert done.returncode == code, done.stdout + done.stderr
    assert "NOT TESTED AGAINST A REAL KAFKA: install Java and Maven" in done.stdout
    assert said in done.stdout
    if ci:
        assert "Kafka is missing under CI" in done.stdout
