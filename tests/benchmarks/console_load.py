"""Clients of the API, to see whom they are in the way of: so many reads a second, and streams that listen.

Run as a process of its own, which is told "on" and "off" by lines, and answers each with the same line when it is so.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.benchmarks.api_calls import at_a_rate, listening
from tests.benchmarks.history import SET
from tests.benchmarks.measure import ROOT

READS, STREAMS = 50, 50
PATHS = (
    "/accounts", "/orders", "/orders?state=working", "/fills", "/positions?open=true", "/refusals", "/pnl?by=set",
    "/pnl?by=instrument", "/instruments", "/key",
)  # fmt: skip


class Load:
    """Clients that call, or do not."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def turn(self, word: str) -> None:
        """Let them call ("on"), or not ("off"), and wait until it is so."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == word, "the clients have ended: see above"


@contextmanager
def loading(port: int, key: str, *through: str) -> Iterator[Load]:
    """Give clients that do not call yet, run through a command that is given, such as `nice -n 10`."""
    command = [*through, sys.executable, "-m", "tests.benchmarks.console_load", str(port), key]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        try:
            yield Load(process)
        finally:
            process.terminate()


async def _obey(port: int, key: str) -> None:
    paths = [(path, path) for path in PATHS]
    while await _told() == "on":
        async with listening(port, key, "orders", f"set={SET}", STREAMS):
            reading = asyncio.create_task(_read(port, key, paths))
            _answer("on")
            waiting = asyncio.create_task(_told())
            await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()  # which raises what went wrong
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            assert await waiting == "off"
        _answer("off")


async def _read(port: int, key: str, paths: Sequence[tuple[str, str]]) -> None:
    while True:
        await at_a_rate(port, key, paths, READS, 10)


async def _told() -> str:
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


def _answer(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_obey(int(sys.argv[1]), sys.argv[2]))
