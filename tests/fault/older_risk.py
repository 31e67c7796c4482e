"""The service of risk as it was before it knew hedging accounts: a version back in its messages and its snapshots.

It neither writes nor reads the fields that came with them, whatever today's code holds, and its snapshots are of
version 1: those of today it cannot read.
"""

import dataclasses
import sys
from typing import Any

import msgspec

import apps.risk.core as risk
from apps.execution.contracts import PositionChanged
from apps.risk.contracts import AccountNoted, OrdersApproved, PositionsNoted
from apps.risk.state import RiskState, from_snapshot, to_snapshot
from banyan import codec

VERSION = 1
UNKNOWN = {OrdersApproved: "of_short", AccountNoted: "hedging", PositionsNoted: "short_steps",
           PositionChanged: "short_steps"}  # fmt: skip
"""The field of each message that there was not."""
_COLUMNS = {"accounts": "hedging", "cells": "beside"}


class _Encoder:
    """Writes messages without the fields that there were not."""

    def __init__(self, today: msgspec.json.Encoder) -> None:
        self._today = today

    def encode(self, written: Any) -> bytes:
        return _without(UNKNOWN.get(type(written)), self._today.encode(written))


class _Decoder:
    """Reads messages as if the fields that there were not were no fields."""

    def __init__(self, kind: type, today: msgspec.json.Decoder[Any]) -> None:
        self._kind, self._today = kind, today

    def decode(self, body: bytes | msgspec.Raw) -> Any:
        return self._today.decode(_without(UNKNOWN.get(self._kind), body))


def _without(field: str | None, body: Any) -> Any:
    if field is None:
        return body
    held = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    held.pop(field, None)
    return msgspec.json.encode(held)


def older_snapshot(state: RiskState) -> bytes:
    """Return a state as version 1 wrote it."""
    held: dict[str, Any] = msgspec.msgpack.decode(to_snapshot(state))
    for table, column in _COLUMNS.items():
        del held["tables"][table][column]
    return msgspec.msgpack.encode(held)


def read_older(key: str, version: int, written: bytes) -> RiskState:
    """Return the state of a snapshot of version 1. No other was there."""
    assert version == VERSION, f"no step leads from snapshot version {version}"
    return from_snapshot(key, version, written)


def forget() -> None:
    """Be that version from now on, in this process."""
    today = codec._decoder
    codec._decoder = lambda kind: _Decoder(kind, today(kind))  # type: ignore[assignment]
    codec._ENCODER = _Encoder(codec._ENCODER)  # type: ignore[assignment]
    risk.RISK = dataclasses.replace(
        risk.RISK, snapshot_version=VERSION, to_snapshot=older_snapshot, from_snapshot=read_older
    )  # fmt: skip


if __name__ == "__main__":
    forget()
    from extract.starting import main

    sys.exit(main("risk"))
