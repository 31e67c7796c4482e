"""A server begins by loading what it needs, which the collector leaves alone from then on, and ends in order."""

import asyncio
import gc
import threading

from banyan.lifespan import Lifespan
from tests.patience import wait_until


def collectors():
    return [each for each in threading.enumerate() if each.name == "collector"]


def test_a_server_has_garbage_collected_seldom_for_as_long_as_it_lives():
    said, before, loaded = [], gc.get_threshold(), []

    async def run():
        heard = asyncio.Queue()

        async def send(message):
            said.append(message["type"])

        async def others(scope, receive, send):
            said.append(scope["type"])

        application = Lifespan(others, lambda: loaded.append([]))
        await heard.put({"type": "lifespan.startup"})
        life = asyncio.create_task(application({"type": "lifespan"}, heard.get, send))
        await asyncio.to_thread(wait_until, lambda: "lifespan.startup.complete" in said, "the start")
        assert not any(each is loaded[0] for each in gc.get_objects())
        await asyncio.to_thread(wait_until, lambda: gc.get_threshold() != before, "the collector")
        await application({"type": "http"}, heard.get, send)
        await heard.put({"type": "lifespan.shutdown"})
        await life

    try:
        asyncio.run(run())
    finally:
        gc.unfreeze()
    assert said == ["lifespan.startup.complete", "http", "lifespan.shutdown.complete"]
    assert not collectors()
    assert gc.get_threshold() == before
