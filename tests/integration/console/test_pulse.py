"""When those who listen to the read models' pulse are told something."""

import asyncio
import threading

import pytest

from apps.console import pulse
from tests.patience import PATIENCE_SECONDS, wait_until

NEVER_SECONDS = 3_600.0


class Marks:
    """What the read models are at, and how often somebody has looked."""

    def __init__(self) -> None:
        self.number = 1
        self.looks = threading.Semaphore(0)

    def beat(self) -> pulse.Beat:
        self.looks.release()
        return pulse.Beat(1, {"execution": self.number})

    def wait_for_looks(self, count: int) -> None:
        for _ in range(count):
            assert self.looks.acquire(timeout=PATIENCE_SECONDS)


@pytest.fixture
def marks(monkeypatch):
    made = Marks()
    monkeypatch.setattr(pulse, "_beat", made.beat)
    monkeypatch.setattr(pulse, "alerts_to_look_at", lambda: None)
    monkeypatch.setattr(pulse, "_BEAT_SECONDS", NEVER_SECONDS)
    yield made
    wait_until(lambda: not any(each.name == "console-pulse" for each in threading.enumerate()), "the pulse to stop")


def test_what_is_new_after_a_pause_is_told_at_once_and_what_is_not_new_is_not_told(marks):
    async def listen():
        heard = pulse.Pulse().beats(NEVER_SECONDS)
        found = [await asyncio.wait_for(anext(heard), PATIENCE_SECONDS)]
        for number in (2, 3):
            coming = asyncio.ensure_future(anext(heard))
            await asyncio.to_thread(marks.wait_for_looks, 20)
            assert not coming.done(), "nothing was new"
            marks.number = number
            found.append(await asyncio.wait_for(coming, PATIENCE_SECONDS))
        await heard.aclose()
        return [beat.marks["execution"] for beat in found]

    assert asyncio.run(listen()) == [1, 2, 3]


def test_what_comes_in_a_row_is_told_at_once_and_what_goes_on_and_on_in_turns(marks, monkeypatch):
    monkeypatch.setattr(pulse, "_PAUSE_SECONDS", NEVER_SECONDS)

    async def listen():
        heard = pulse.Pulse().beats(NEVER_SECONDS)
        for number in range(2, 2 + pulse._IN_A_ROW):
            await asyncio.wait_for(anext(heard), PATIENCE_SECONDS)
            marks.number = number
        coming = asyncio.ensure_future(anext(heard))
        for number in range(22, 42):
            marks.number = number
            await asyncio.to_thread(marks.wait_for_looks, 1)
        assert not coming.done(), "the pause is not over"
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await heard.aclose()

    asyncio.run(listen())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_comes_after_a_look_has_failed_hears_all_the_same(marks, monkeypatch):
    def fail():
        failed.set()
        raise ValueError("nobody has thought of this")

    failed = threading.Event()
    beating = pulse.Pulse()
    monkeypatch.setattr(pulse, "_beat", fail)

    async def listen():
        lost = asyncio.ensure_future(anext(beating.beats(NEVER_SECONDS)))
        await asyncio.to_thread(failed.wait, PATIENCE_SECONDS)
        await asyncio.to_thread(wait_until, lambda: beating._thread is None, "the look to end")
        monkeypatch.setattr(pulse, "_beat", marks.beat)
        heard = beating.beats(NEVER_SECONDS)
        await asyncio.wait_for(anext(heard), PATIENCE_SECONDS)
        await asyncio.wait_for(lost, PATIENCE_SECONDS)
        await heard.aclose()

    asyncio.run(listen())
