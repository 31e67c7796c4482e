"""Callers of the API for measuring: over connections that stay, and cheap enough not to be what is measured."""

import asyncio
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.measure import ROOT

HOST = "127.0.0.1"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")
_ID = re.compile(rb"(?m)^event: (\w+)$")
_STREAM_LIMIT = 1 << 22
_IDLE_SECONDS_MAX = 2.0  # a server hangs up on who is idle for five, perhaps just when it is asked again


@dataclass(slots=True)
class Caller:
    """A connection of a key to a server."""

    port: int
    key: str
    _reader: Any = None
    _writer: Any = None
    _used_at: float = 0.0

    async def get(self, path: str) -> bytes:
        """Return what is answered with a 200; anything else is a failure of what is measured."""
        if self._writer is None or time.perf_counter() - self._used_at > _IDLE_SECONDS_MAX:
            self.close()
            self._reader, self._writer = await asyncio.open_connection(HOST, self.port, limit=_STREAM_LIMIT)
        self._writer.write(request(path, self.key))
        head = await self._reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        assert found is not None, head
        body: bytes = await self._reader.readexactly(int(found[1]))
        assert head.startswith(b"HTTP/1.1 200"), (path, head, body)
        self._used_at = time.perf_counter()
        return body

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()


def request(path: str, key: str) -> bytes:
    """Return a read as it is sent."""
    return (
        f"GET /api/v1{path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {key}\r\nAccept: */*\r\n\r\n"
    ).encode()  # fmt: skip


async def at_a_rate(
    port: int, key: str, paths: Sequence[tuple[str, str]], per_second: float, rounds: int
) -> dict[str, list[float]]:  # fmt: skip
    """Return the seconds of each call of (name, path), by names, so many rounds of all of them at a steady rate.

    A call's time begins when it was to be made, so that who answers late does not make the next ones wait unseen.
    """
    seconds: dict[str, list[float]] = {name: [] for name, _ in paths}
    free = [Caller(port, key) for _ in range(32)]
    begun = time.perf_counter()

    async def call(name: str, path: str, at: float) -> None:
        caller = free.pop() if free else Caller(port, key)
        await caller.get(path)
        seconds[name].append(time.perf_counter() - at)
        free.append(caller)

    async with asyncio.TaskGroup() as calls:
        for number in range(rounds * len(paths)):
            at = begun + number / per_second
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            calls.create_task(call(*paths[number % len(paths)], at))
    for each in free:
        each.close()
    return seconds


async def as_fast_as_it_goes(
    port: int, key: str, path_of: Callable[[], str], callers: int, seconds: int
) -> list[float]:
    """Return how many calls were answered in each second, by so many callers who ask for one after the other."""
    counts = [0] * seconds
    begun = time.perf_counter()

    async def call() -> None:
        caller = Caller(port, key)
        while time.perf_counter() - begun < seconds:
            await caller.get(path_of())
            with suppress(IndexError):  # the last answer may come when time is up
                counts[int(time.perf_counter() - begun)] += 1
        caller.close()

    await asyncio.gather(*(call() for _ in range(callers)))
    return [float(each) for each in counts[1:]]


@dataclass(slots=True)
class Listener:
    """A connection that hears a stream: when each event of its family came, in ns since 1970 UTC."""

    heard_ns: list[int] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, port: int, key: str, family: str, query: str) -> None:
        """Hear until cancelled."""
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(request(f"/streams/{family}?{query}", key))
            while line := await reader.readline():
                if found := _ID.match(line):
                    if found[1] == b"begin":
                        self.begun.set()
                    elif found[1].decode() == family:
                        self.heard_ns.append(time.time_ns())
        finally:
            writer.close()


@asynccontextmanager
async def listening(port: int, key: str, family: str, query: str, count: int) -> AsyncIterator[list[Listener]]:
    """Hear a stream by so many connections, all of which have begun."""
    listeners: list[Listener] = []
    tasks = []
    for begin in range(0, count, 25):
        some = [Listener() for _ in range(min(25, count - begin))]
        tasks += [asyncio.create_task(each.listen(port, key, family, query)) for each in some]
        await asyncio.gather(*(asyncio.wait_for(each.begun.wait(), 60) for each in some))
        listeners += some
    try:
        yield listeners
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def post(connection: http.client.HTTPConnection, key: str, path: str, body: dict[str, Any], act: str) -> None:
    """Have something done."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": act, "Content-Type": "application/json"}
    connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
    answer = connection.getresponse()
    told = answer.read()
    assert answer.status == 202, told


@contextmanager
def served(port: int, *through: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `manage.py serve`, through a command that is given, such as `nice -n 10`."""
    command = [*through, sys.executable, "manage.py", "serve", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
    assert server.stdout is not None
    try:
        assert any(line.startswith("Ready") for line in server.stdout), "the server did not start"
        yield server
    finally:
        server.terminate()
        server.wait(timeout=60)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def key_of(client: str = "") -> str:
    """Return a new key that may do everything, or what a client may."""
    from apps.api.keys import SCOPES, Wanted, make

    scopes = ("read", "trade") if client else SCOPES
    return make(Wanted("bench", scopes, client, calls_per_minute=1_000_000, streams=10_000))[1]
