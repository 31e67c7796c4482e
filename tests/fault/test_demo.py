"""The demonstrations, as people start them."""

import itertools
import subprocess
import sys

import pytest

from banyan.kafka import Cluster
from tests.fault.service import join_kafka
from tests.fault.system import ROOT, System

pytestmark = pytest.mark.soak


def test_the_demonstration_can_be_given_again_and_all_invariants_hold(system: System):
    for _ in range(2):  # the second finds what the first has left, and begins anew
        told = system.manage("demo")
        assert told.count("held ") == 13
        assert "BROKEN" not in told
        assert "by risk: max order" in told


def test_risk_is_carved_out_dies_and_comes_back_in_the_demonstration_and_all_invariants_hold(
    system: System, kafka: Cluster
):
    join_kafka(system, kafka)
    command = [sys.executable, "-m", "extract.demo"]
    done = subprocess.run(command, cwd=ROOT, env=system.environment, capture_output=True, text=True, check=False)
    told = done.stdout
    assert done.returncode == 0, told + done.stderr
    assert told.count("  held ") == 15
    assert "rows in which the sides differ" in told
    assert "guard: nobody holds" in told
    stages = ("inprocess", "shadow", "canary", "live", "shadow", "live", "extracted", "live", "shadow", "inprocess")
    for number, (before, after) in enumerate(itertools.pairwise(stages), 1):
        if number != 4:  # which is the guard's
            assert f"risk: {before} → {after} (change {number})" in told
