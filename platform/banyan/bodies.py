"""How much anybody may send in one request: more is not read, where else it would be kept on the disk first."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Call = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Call, Receive, Send], Awaitable[None]]


class Bodies:
    """An ASGI application that hands calls on to another, with bodies of at most so many bytes.

    Django reads a body to its end before it looks at anything else, into a file where it is large. `most` says how many
    bytes a path takes, and has to be known before: a body without Content-Length is refused. Paths under `told` are
    handed on with nothing in the place of such a body: there it is refused in their own words.
    """

    def __init__(self, application: Application, most: Callable[[str], int], told: str) -> None:
        self._application = application
        self._most = most
        self._told = told

    async def __call__(self, scope: Call, receive: Receive, send: Send) -> None:
        """Answer a call."""
        status = 0 if scope["type"] != "http" else _refused(scope, self._most(scope["path"]))
        if not status:
            await self._application(scope, receive, send)
        elif scope["path"].startswith(self._told):
            await self._application(scope, _Nothing(receive), send)
        else:
            text = b"The request is too large." if status == 413 else b"The request does not say how large it is."
            headers = [
                (b"content-type", b"text/plain"),
                (b"content-length", b"%d" % len(text)),
                (b"connection", b"close"),
            ]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": text})


class _Nothing:
    """An empty body; then what else there is to hear of a call, which is that its caller has gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_told = False

    async def __call__(self) -> Mapping[str, Any]:
        if not self._is_told:
            self._is_told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while (heard := await self._receive())["type"] == "http.request" and heard.get("more_body"):
            pass
        return heard if heard["type"] == "http.disconnect" else await self._receive()


def _refused(scope: Call, most: int) -> int:
    """Return the status by which a call is refused; 0: it is not."""
    given = dict(scope["headers"])
    length = given.get(b"content-length")
    if length is None:
        return 411 if b"transfer-encoding" in given else 0
    return 0 if length.isdigit() and int(length) <= most else 413
