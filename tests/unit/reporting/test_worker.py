"""When whoever reads logs looks again."""

import threading

from apps.reporting.following import FollowerWorker
from banyan.road import Road

NEVER_SECONDS = 3_600.0
PATIENCE_SECONDS = 60.0


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
