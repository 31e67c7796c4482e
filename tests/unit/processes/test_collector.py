import gc
import threading

from banyan.process import collector
from banyan.process.collector import Collector
from tests.patience import PATIENCE_SECONDS


def test_what_has_been_there_for_long_is_left_alone_and_what_went_before_as_it_was(monkeypatch):
    frozen, looked = threading.Event(), []

    def freeze() -> None:
        looked.append(gc.get_threshold())
        frozen.set()

    monkeypatch.setattr(gc, "freeze", freeze)
    monkeypatch.setattr(collector, "_FIRST_SECONDS", 0.0)
    before, stop, worker = gc.get_threshold(), threading.Event(), Collector()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    assert frozen.wait(PATIENCE_SECONDS)
    stop.set()
    worker.wake()
    thread.join()
    assert len(looked) == 1
    assert looked[0][2] >= 1_000 * before[2]
    assert gc.get_threshold() == before
