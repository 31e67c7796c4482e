"""Databases put back to an earlier time while the broker has gone on: nothing is sent twice, and everything adds up."""

import pytest

from tests.fault.system import System
from tests.fault.test_pipeline import columns, is_at_rest, is_ready, prepare

REPLAY = ("replay", "OANDA:EURUSD", "--interval", "1h")


def traded(system: System, first: str, last: str) -> None:
    system.manage(*REPLAY, "--from", first, "--to", last)
    system.wait_for("rest", lambda: is_at_rest(system))


@pytest.mark.soak
def test_what_is_restored_takes_back_what_the_broker_has_and_trades_on(system, tmp_path):
    prepare(system)
    system.start()
    system.wait_for("accounts that may trade", lambda: is_ready(system))
    traded(system, "2016-01-01", "2016-01-20")
    system.manage("backup", str(tmp_path / "backup"))
    traded(system, "2016-01-20", "2016-02-10")
    assert "stop `manage.py run`" in system.refused("restore", str(tmp_path / "backup"))
    system.stop()
    for only in (("--only", "execution"), ("--only", "edge"), ()):
        system.manage("restore", str(tmp_path / "backup"), *only)
        system.others += 1
        system.start()
        system.verify()
        gated = len(columns(system, "execution.accounts-gated.v1"))
        assert gated > 0
        system.manage(*REPLAY, "--from", "2016-02-10", "--to", "2016-03-01")
        system.verify()
        system.stop()
