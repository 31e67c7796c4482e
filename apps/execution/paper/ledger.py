"""The paper broker's ledger: a file that is only appended to, and waits for the disk before anybody is answered.

After a first line that names the format come groups: length and CRC-32 of the body (4 bytes each, big-endian), then the
body, a msgpack array of records. What happened between two waits is one group, so a group is there whole or not at all.
A last group that is broken was never answered for, and is cut off; a broken one with others after it is damage.
"""

import fcntl
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from apps.execution.contracts import InstrumentTerms
from banyan import crash

_FIRST_LINE = b"banyan paper ledger 1\n"
_HEAD_BYTES = 8


class LedgerError(RuntimeError):
    """The file is no ledger, is damaged, or is another broker's; the message says which and what to do."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="record"):
    """What all records are."""


class Opened(Record, frozen=True, kw_only=True, tag="opened"):
    """Accounts were opened."""

    rows: int
    account: bytes
    deposit_micro: bytes
    fee_rate_e9: bytes
    currencies: tuple[str, ...] = ("",)
    currency: bytes = b""
    hedging: bytes = b""
    via: bytes = b""


class Deposited(Record, frozen=True, kw_only=True, tag="deposited"):
    """Cash was added to accounts, at `at_ns`: 0 in ledgers of before that was reported."""

    rows: int
    reference: str
    account: bytes
    amount_micro: bytes
    kind: int = 0
    instrument: str = ""
    at_ns: int = 0


class Began(Record, frozen=True, kw_only=True, tag="began"):
    """A session began; `slot` are places of accounts in the order in which they were opened."""

    session: int
    rows: int
    slot: bytes


class Named(Record, frozen=True, kw_only=True, tag="named"):
    """Instruments that were seen for the first time."""

    terms: list[InstrumentTerms]


class Accepted(Record, frozen=True, kw_only=True, tag="accepted"):
    """Orders that arrived: columns of ORDER_DTYPE. Those that were rejected have a report that says so."""

    rows: int
    client_ids: bytes
    orders: dict[str, bytes]


class Happened(Record, frozen=True, kw_only=True, tag="happened"):
    """Reports, in order: columns of REPORT_DTYPE. Their execution numbers follow those of the record before."""

    rows: int
    reports: dict[str, bytes]


AnyRecord = Opened | Deposited | Began | Named | Accepted | Happened
_DECODER = msgspec.msgpack.Decoder(list[AnyRecord])
_ENCODER = msgspec.msgpack.Encoder()


class Ledger:
    """The ledger in the file `path`, made where there is none, and locked against a second broker."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise LedgerError(
                f"{path} is in use by another paper broker: stop that one, or give this one another folder"
            ) from None

    def read(self) -> Iterator[AnyRecord]:
        """Yield all records in order, and make the file end where the last whole group does.

        Raises LedgerError for a file that is no ledger, or that is damaged before its last group.
        """
        size = os.fstat(self._file).st_size
        if size < len(_FIRST_LINE):
            self._cut(0)
            os.write(self._file, _FIRST_LINE)
            os.fsync(self._file)
            _sync_folder(self.path.parent)
            return
        at = len(_FIRST_LINE)
        for records, end in _groups(self._file, self.path):
            yield from records
            at = end
        self._cut(at)

    def append(self, records: list[AnyRecord]) -> None:
        """Write a group and wait for the disk. After an OSError nobody knows what the file holds: end, and read it."""
        body = _ENCODER.encode(records)
        group = memoryview(len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body)
        crash.point("paper.before-append")
        while group:
            group = group[os.write(self._file, group) :]
        crash.point("paper.before-sync")
        os.fdatasync(self._file)
        crash.point("paper.after-sync")

    def close(self) -> None:
        """Close the file, which frees its lock."""
        os.close(self._file)

    def _cut(self, size: int) -> None:
        os.ftruncate(self._file, size)
        os.lseek(self._file, 0, os.SEEK_END)


def read_only(path: Path) -> Iterator[AnyRecord]:
    """Yield all records of the whole groups in a ledger that a broker may be using. Raises LedgerError."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        for records, _ in _groups(file, path):
            yield from records
    finally:
        os.close(file)


def _groups(file: int, path: Path) -> Iterator[tuple[list[AnyRecord], int]]:
    """Yield each whole group, and where it ends. Raises LedgerError for one that is damaged before the last."""
    size = os.fstat(file).st_size
    if size < len(_FIRST_LINE):
        return
    if os.pread(file, len(_FIRST_LINE), 0) != _FIRST_LINE:
        raise LedgerError(f"{path} is no ledger of this version: move it away, or choose another folder")
    at = len(_FIRST_LINE)
    while at < size:
        head = os.pread(file, _HEAD_BYTES, at)
        length, checksum = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
        end = at + _HEAD_BYTES + length
        body = os.pread(file, length, at + _HEAD_BYTES) if end <= size and len(head) == _HEAD_BYTES else b""
        if not body or zlib.crc32(body) != checksum:
            if end < size and body:
                raise LedgerError(f"{path} is damaged at byte {at}: restore it from a copy")
            return
        yield _DECODER.decode(body), end
        at = end


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
