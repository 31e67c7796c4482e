"""Keeps processes that fail in every way there is, and says on standard output what becomes of them, as JSON lines."""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Collection, Sequence
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from banyan.calls import CALLS
from banyan.process import Limits, Nursery, Report

PLACE = "/srv/mine.py:12"
LIMITS = Limits(memory_mb=40)
CHANNELS: list[socket.socket] = []


class Told:
    """A directory that says what it is told."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)

    def wanted(self) -> Collection[str]:
        return self._names

    def park(self, name: str, reason: str) -> None:
        self._names.remove(name)
        say("parked", name, reason)

    def report(self, reports: Sequence[Report]) -> None:
        for each in reports:
            say("report", each.name, each.state, each.pid, each.starts)

    def close(self) -> None:
        pass


def say(*words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def body(name: str, channel: socket.socket, _: int) -> bool:
    match name:
        case "hangs":
            CALLS.begin(f"{__file__}:1", 0.3)
            spin()
        case "leaks":
            CALLS.begin(PLACE, 60.0)
            CALLS.end()
            kept = []
            while True:
                kept.append(os.urandom(2**20))
                time.sleep(0.01)
        case "asks for too much":
            CALLS.begin(PLACE, 60.0)
            bytearray(2**30)
        case "raises":
            CALLS.fail(f"{PLACE}: ZeroDivisionError: division by zero")
            return False
        case "crashes":
            CALLS.begin(PLACE, 60.0)
            os.kill(os.getpid(), signal.SIGSEGV)
    while told := channel.recv(100):
        say("works", name, told.decode())
    return True


def spin() -> None:
    while True:
        pass


def join(_: str, channel: socket.socket) -> None:
    CHANNELS.append(channel)
    with contextlib.suppress(OSError):  # some have ended by now
        channel.send(b"hello")


def main(names: Sequence[str]) -> None:
    stop = threading.Event()
    nursery = Nursery("kept", Told(names), body, LIMITS, join)
    signal.signal(signal.SIGTERM, lambda *_: (stop.set(), nursery.wake()))
    nursery.run(stop)
    say("ended")


if __name__ == "__main__":
    main(sys.argv[1:])
