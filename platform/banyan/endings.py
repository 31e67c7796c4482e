"""Answers that go on when their server is stopped: they end in order, and nothing is logged as a failure."""

import asyncio
from collections.abc import Mapping
from typing import Any

from banyan.bodies import Application, Call, Receive, Send


class Endings:
    """An ASGI application that hands calls on to another, and ends their answers where the server cancels them.

    A stream that somebody listens to is the usual one: whoever listens comes again. So may who has no answer yet.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Call, receive: Receive, send: Send) -> None:
        """Answer a call."""
        has_begun = False

        async def pass_on(message: Mapping[str, Any]) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._application(scope, receive, pass_on)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            if not has_begun:
                await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"1")]})
            await send({"type": "http.response.body", "body": b""})
