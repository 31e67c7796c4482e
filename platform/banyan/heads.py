"""HTTP as servers of ours read it: by httptools, and with a bound on what httptools keeps until it is complete."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

HEAD_MAX = 64 * 1024
PIPELINED_MAX = 64
"""Calls of a connection that may wait until those before them are answered."""


class BoundedHeads(HttpToolsProtocol):
    """Hangs up on who sends the head of a call without end, or many calls without awaiting their answers.

    What stands before a body, between its pieces or behind it is kept for as long as it goes on, by httptools and by
    uvicorn: one caller could fill the memory. Here it is HEAD_MAX at most, and what one read of a connection gives.
    """

    _untold = 0
    """Bytes that have come since it was last told that a head, a piece of a body, or all of a call is complete."""

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._untold += len(data)
        super().data_received(data)
        if self._untold > HEAD_MAX and not self.transport.is_closing():
            self._hang_up(431, b"The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Begin a call."""
        if len(self.pipeline) >= PIPELINED_MAX:
            raise BufferError("too many calls wait for their answers")
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Take a head."""
        self._untold = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._untold = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a call."""
        self._untold = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._hang_up(400, msg.encode())

    def _hang_up(self, status: int, text: bytes) -> None:
        """End a connection, with an answer where none is owed to a call before: it would be taken for that one's."""
        begun: RequestResponseCycle | None = self.cycle
        if begun is None or begun.response_complete:
            head = b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(text)
            self.transport.write(STATUS_LINE[status] + head + text)
        self.transport.close()
