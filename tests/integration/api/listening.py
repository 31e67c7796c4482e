"""Listening to a stream in a test: what is sent for each beat, with keys that are good for as long as is said."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import orjson

from apps.api.access import Caller
from apps.api.news import AwayError
from apps.api.streams import Listener
from apps.console.interface import Beat

FIRM = Caller("k", "k", "firm", "", frozenset({"read"}))
NOTHING = {"client": "", "account": "", "set": "", "instrument": ""}


class Keys:
    """Keys that are good until one of `problems` is the matter with them, looked at by look."""

    def __init__(self, *problems):
        self.problems = list(problems)

    async def problem_of(self, key):
        found = self.problems.pop(0) if self.problems else None
        if isinstance(found, AwayError):
            raise found
        return found


def listener_of(family, caller, places, *problems, **asked):
    return Listener(family, caller, NOTHING | asked, places, lambda _: contextlib.nullcontext(Keys(*problems)))


@dataclass
class Heard:
    """What a listener has been sent: (id, data) of each event of the family."""

    events: list = field(default_factory=list)
    others: list = field(default_factory=list)


def listen(family, places, *marks, caller=FIRM, between=lambda: None, **asked):
    """Listen for as many beats as there are marks, and do something between them."""
    listener = listener_of(family, caller, places, **asked)
    heard = Heard()

    async def beats():
        for at, each in enumerate(marks):
            if at:
                await asyncio.to_thread(between)
            yield Beat(1, {"execution": each})

    async def run():
        async for lines in events_of(listener.events(beats())):
            name, data = lines[b"event"].decode(), orjson.loads(lines[b"data"])
            (heard.events if name == family else heard.others).append((lines[b"id"].decode(), data))

    asyncio.run(run())
    return heard


async def events_of(chunks):
    """Yield what is sent event by event, each as {field: value}."""
    async for chunk in chunks:
        for event in apart(chunk):
            if not event.startswith(b":"):
                yield dict(line.split(b": ", 1) for line in event.strip().split(b"\n"))


def apart(chunk):
    """Return the events of what is sent at once."""
    return [event + b"\n\n" for event in chunk.split(b"\n\n")[:-1]]


def chunks_of(listener, beats):
    """Return what is sent, event by event, as it is sent."""

    async def run():
        return [event async for chunk in listener.events(beats()) for event in apart(chunk)]

    return asyncio.run(run())


def troubles(chunks):
    """Return the codes of the problems that were told."""
    told = [chunk.split(b"data: ")[1] for chunk in chunks if chunk.startswith(b"event: problem")]
    return [orjson.loads(each)["code"] for each in told]
