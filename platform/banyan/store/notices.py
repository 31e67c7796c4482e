"""What processes tell each other by datagrams and notifications: for which keys something waits, and what it is."""

from collections.abc import Iterable, Iterator

import msgspec

CHANNEL = "banyan_key"
"""The channel of PostgreSQL's notifications on which keys are woken, one in each context's database."""
_BYTES_MAX = 7999  # of one notification
_KEYS_MAX = 16  # whatever keys are called, so many fit


class Notice(msgspec.Struct, array_like=True):
    """Something of `sender` waits for `keys`; the sender of commands is "".

    A message that is short comes along: `body` with `header`, its envelope for the first of the keys, and `previous`,
    for each key the position before it on the stream to it. Without them it is to be looked for.
    """

    sender: str
    keys: list[str]
    previous: list[int] = []
    header: msgspec.Raw = msgspec.Raw(b"null")
    body: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def has_message(self) -> bool:
        """Whether the message has come along."""
        return bool(self.previous)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Notice)


def payloads(notices: Iterable[Notice]) -> list[bytes]:
    """Return notices as they are sent: one that is too long says only what is to be looked for."""
    return [payload for notice in notices for payload in _payloads(notice)]


def notice_of(payload: bytes) -> Notice:
    """Return the notice that was sent as `payload`."""
    return _DECODER.decode(payload)


def _payloads(notice: Notice) -> Iterator[bytes]:
    if notice.has_message:
        whole = _ENCODER.encode(notice)
        if len(whole) <= _BYTES_MAX:
            yield whole
            return
    for first in range(0, len(notice.keys), _KEYS_MAX):
        yield _ENCODER.encode(Notice(notice.sender, notice.keys[first : first + _KEYS_MAX]))
