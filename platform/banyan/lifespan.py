"""What a server does before it takes calls, and beside answering them."""

import gc
import threading
from collections.abc import Callable

from banyan.bodies import Application, Call, Receive, Send
from banyan.process.collector import Collector


class Lifespan:
    """An ASGI application that hands calls on to another, and has garbage collected seldom while its server lives.

    `begin` loads what calls will need. What is there then is never gone through again: each time all who call would
    wait for it.
    """

    def __init__(self, application: Application, begin: Callable[[], object]) -> None:
        self._application = application
        self._begin = begin

    async def __call__(self, scope: Call, receive: Receive, send: Send) -> None:
        """Answer a call, or live as long as the server."""
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        await receive()
        self._begin()
        gc.collect()
        gc.freeze()
        stop, collector = threading.Event(), Collector()
        thread = threading.Thread(target=collector.run, args=[stop], name=collector.name, daemon=True)
        thread.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        stop.set()
        collector.wake()
        thread.join()
        await send({"type": "lifespan.shutdown.complete"})
