import logging
import threading

from apps.execution.edge.paper_worker import PaperWorker
from apps.execution.paper.ledger import Ledger
from banyan.clock import SystemClock
from banyan.process import Role, run_roles
from banyan.transport import LocalTransport


def test_a_ledger_that_another_broker_uses_ends_the_process_with_one_line_that_says_so(tmp_path, caplog):
    ledger = Ledger(tmp_path / "ledger")
    role = Role("paper", "paper", "a broker", lambda *_: [PaperWorker(tmp_path, SystemClock())])
    with caplog.at_level(logging.ERROR):
        assert not run_roles([role], LocalTransport({}), SystemClock(), threading.Event())
    ledger.close()
    [line] = caplog.records
    assert line.getMessage() == (
        f"paper cannot run: {tmp_path}/ledger is in use by another paper broker: "
        "stop that one, or give this one another folder"
    )
    assert line.exc_info is None
