"""The database server stopped hard, and its disk full: trading waits, and goes on where it was."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.execution.contracts import EdgeRefusal
from banyan.embedded import EmbeddedServer
from tests.fault.conftest import a_quarter
from tests.fault.system import System
from tests.fault.test_pipeline import columns, is_at_rest, is_ready, prepare
from tests.fault.test_processes import replay

pytestmark = pytest.mark.soak
REPLAY = ("replay", "OANDA:EURUSD", "--interval", "1h")


class Served(System):
    """The system on a server of its own, which can be stopped as a power cut stops it, and started again."""

    def __init__(self, folder: Path, postgres: Path) -> None:
        self.server = EmbeddedServer(postgres)
        address = self.server.start()
        self.data = Path(address.host)  # where the socket is, which for root may be elsewhere
        super().__init__(folder, f"postgresql://{address.user}@/banyan?host={address.host}&port={address.port}")

    def stop_server_hard(self) -> None:
        """Stop it without a checkpoint: whatever was committed is only in its write-ahead log."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        self.others += 1
        os.kill(pid, signal.SIGQUIT)
        self.wait_for("the server's end", lambda: not (self.data / "postmaster.pid").exists())

    def start_server(self) -> None:
        self.server.start()


@pytest.fixture
def served(tmp_path: Path, record_property: Any) -> Iterator[Served]:
    made = Served(tmp_path, tmp_path / "postgres")
    made.manage("migrate", "--verbosity", "0")
    made.manage("import_bars", str(a_quarter(tmp_path)), "--instrument", "OANDA:EURUSD", "--interval", "1h")
    yield made
    record_property("faults", made.faults())
    made.end()
    made.server.remove()


def test_a_server_that_is_stopped_hard_while_orders_are_on_their_way_loses_and_doubles_nothing(served):
    prepare(served)
    served.start()
    served.wait_for("accounts that may trade", lambda: is_ready(served))
    for first, last in (("2016-01-01", "2016-01-25"), ("2016-01-25", "2016-02-20")):
        before = len(columns(served, "execution.orders-filled.v1"))
        served.manage(*REPLAY, "--from", first, "--to", last)
        served.wait_for("fills", lambda before=before: len(columns(served, "execution.orders-filled.v1")) > before)
        served.stop_server_hard()
        served.start_server()
    served.wait_for("rest", lambda: is_at_rest(served))
    served.verify()


def test_a_kill_switch_that_is_thrown_while_the_server_is_down_holds_when_it_is_back(served):
    prepare(served)
    served.start()
    served.wait_for("accounts that may trade", lambda: is_ready(served))
    served.manage(*REPLAY, "--from", "2016-01-01", "--to", "2016-01-25")
    served.wait_for("fills", lambda: bool(columns(served, "execution.orders-filled.v1")))
    served.stop_server_hard()
    served.manage("kill_switch", "throw", "--reason", "a test")
    served.start_server()
    served.manage(*REPLAY, "--from", "2016-01-25", "--to", "2016-02-20")
    served.wait_for("rest", lambda: is_at_rest(served))
    codes = [code for body in columns(served, "execution.orders-ended.v1") for code in body["code"]]
    assert EdgeRefusal.KILL_SWITCH in codes
    served.verify()  # nothing was sent after it was thrown, among others


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_full_disk_stops_trading_until_there_is_room_and_nothing_is_lost_or_doubled(tmp_path):
    disk = Path(tempfile.mkdtemp(prefix="banyan-disk-"))  # where the server's user can enter
    disk.chmod(0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900m,mode=755", "none", str(disk)], check=True)
    try:
        served = Served(tmp_path, disk / "postgres")
        served.manage("migrate", "--verbosity", "0")
        served.manage("import_bars", str(a_quarter(tmp_path)), "--instrument", "OANDA:EURUSD", "--interval", "1h")
        prepare(served)
        served.start()
        served.wait_for("accounts that may trade", lambda: is_ready(served))
        full = disk / "full"
        _fill(full)
        asked = served.refused(
            "replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-01", "--to", "2016-03-15"
        )
        assert "No space left" in asked or "database" in asked
        full.unlink()
        served.start_server()
        replay(served)
        served.wait_for("rest", lambda: is_at_rest(served))
        served.verify()
        served.end()
        served.server.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
        disk.rmdir()


def _fill(path: Path) -> None:
    """Write until nothing fits any more."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
