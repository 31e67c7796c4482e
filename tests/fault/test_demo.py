"""The demonstration, twice: the second finds what the first has left, and begins anew."""

import pytest

from tests.fault.system import System


@pytest.mark.soak
def test_the_demonstration_can_be_given_again_and_all_invariants_hold(system: System):
    for _ in range(2):
        told = system.manage("demo")
        assert told.count("held ") == 13
        assert "BROKEN" not in told
        assert "by risk: max order" in told
