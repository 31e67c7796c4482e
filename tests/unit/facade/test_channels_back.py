"""What a process tells through its channel, and what it does not tell before somebody listens."""

import socket
import threading
from collections import deque
from types import SimpleNamespace

from banyan.codec import Envelope
from banyan.host import COMPARATOR, Delivery
from banyan.transport import ChannelListener, ChannelReader, Channels
from tests.patience import PATIENCE_SECONDS

RECORD = Delivery("signals", Envelope(name="banyan.logged.v1", id="a", key="trend", number=1), b"{}")
VERDICT = Delivery(COMPARATOR, Envelope(name="banyan.compared.v1", id="b", key="trend"), b"{}")


class Holds:
    """A host of one key, as far as a channel asks it."""

    def __init__(self):
        self.context, self.owner = SimpleNamespace(name="signals"), "somebody"
        self.keys = {"trend": SimpleNamespace(is_leading=True, is_astray=False)}
        self.log = None
        self.compare = lambda _: None
        self.offered, self.seeded = [], threading.Event()

    def offer(self, deliveries):
        self.offered += deliveries

    def look_for(self, woken):
        assert list(woken) == []

    def seed(self, keys):
        assert keys == ["trend"]
        self.seeded.set()


def test_a_process_says_who_it_is_and_tells_its_log_from_when_there_is_another_side_on():
    here, there = socket.socketpair()
    channels, host, heard, told = Channels("signals"), Holds(), deque(), threading.Semaphore(0)

    def hear(key, reported):
        heard.append((key, reported))
        told.release()

    stop = threading.Event()
    channels.join("trend", here)
    workers = [ChannelListener(host, there), ChannelReader(channels, hear)]
    threads = [threading.Thread(target=each.run, args=(stop,), daemon=True) for each in workers]
    for thread in threads:
        thread.start()
    assert told.acquire(timeout=PATIENCE_SECONDS)
    assert (heard[0][0], heard[0][1].owner, heard[0][1].is_leading) == ("trend", "somebody", None)
    assert host.log is None
    channels.join_other_side(is_there=True)
    channels.seed(["trend"])
    assert host.seeded.wait(60)
    host.log([RECORD])
    host.keys["trend"].is_leading, host.keys["trend"].is_astray = False, True
    host.compare([VERDICT])
    assert told.acquire(timeout=PATIENCE_SECONDS)
    assert told.acquire(timeout=PATIENCE_SECONDS)
    assert [(each.is_leading, each.is_astray, each.log, each.compared) for _, each in list(heard)[1:]] == [
        (True, False, [RECORD], []), (False, True, [], [VERDICT]),
    ]  # fmt: skip
    channels.close()
    for thread in threads[:1]:
        thread.join(PATIENCE_SECONDS)
    assert stop.is_set()  # a process whose other end is closed stops
    threads[1].join(PATIENCE_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
