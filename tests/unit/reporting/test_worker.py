"""When whoever reads logs looks again, and for whom it steps back."""

import os
import sys
import threading

import pytest

from apps.reporting.following import FollowerWorker
from banyan.road import Road
from tests.patience import PATIENCE_SECONDS

NEVER_SECONDS = 3_600.0


class Reader:
    """Counts its looks."""

    is_behind = False

    def __init__(self) -> None:
        self.looked = threading.Semaphore(0)

    def step(self) -> bool:
        self.looked.release()
        return False

    def close(self) -> None: ...


def test_a_reader_looks_when_somebody_has_used_the_road_and_not_before() -> None:
    road, reader, stop = Road(), Reader(), threading.Event()
    worker = FollowerWorker("test", lambda: reader, NEVER_SECONDS, road)  # type: ignore[arg-type,return-value]
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        assert reader.looked.acquire(timeout=PATIENCE_SECONDS)
        for _ in range(3):
            assert not reader.looked.acquire(timeout=0.1), "nobody has used the road"
            road.use()
            assert reader.looked.acquire(timeout=PATIENCE_SECONDS), "somebody has used the road"
    finally:
        stop.set()
        worker.wake()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has processes that are idle")
@pytest.mark.parametrize("gives_way", [True, False])
def test_a_reader_leaves_the_processors_to_others_unless_it_is_told_not_to(settings, gives_way) -> None:
    settings.GIVES_WAY = gives_way
    found, stop = [], threading.Event()

    class Told(Reader):
        def step(self) -> bool:
            found.append(os.sched_getscheduler(threading.get_native_id()))
            stop.set()
            return False

    worker = FollowerWorker("test", Told, 0.0)  # type: ignore[arg-type]
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    thread.join()
    assert set(found) == {os.SCHED_IDLE if gives_way else os.SCHED_OTHER}
