"""An edge as a process of its own, with a host as simple as one can be: inputs from a file, messages to another.

Its arguments are FOLDER and SOCKET: FOLDER/inputs.jsonl has the messages for the edge, in
order; what it tells goes to FOLDER/told.jsonl, and a last line that was cut is told again.
"""

import json
import os
import select
import sys
from pathlib import Path
from typing import Any

import django

django.setup()

from apps.execution.edge.edge import Edge, EdgeSettings  # noqa: E402
from apps.execution.edge.ledger import Ledger  # noqa: E402
from apps.execution.edge.paper import PaperBroker  # noqa: E402
from apps.execution.edge.shard import missed  # noqa: E402
from banyan.clock import SystemClock  # noqa: E402
from banyan.codec import Envelope, decode_message  # noqa: E402
from tests.integration.edge.desk import SECOND, SHARD, Open  # noqa: E402


def whole_lines(path: Path) -> list[Any]:
    """Return the lines of a file that are whole: another process may be at its end."""
    return [json.loads(line) for line in _whole(path).splitlines()]


def _whole(path: Path) -> bytes:
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def main() -> None:
    """Work until killed."""
    folder, address = map(Path, sys.argv[1:])
    settings = EdgeSettings(answer_ns_max=SECOND // 5, settle_ns=SECOND // 5, recheck_ns=SECOND // 20)
    edge = Edge(Ledger(), [PaperBroker(address)], Open(), SystemClock(), owner="edge", settings=settings)
    edge.open([SHARD])
    told = folder / "told.jsonl"
    told.write_bytes(_whole(told))
    last = max((line["number"] for line in whole_lines(told)), default=0)
    given = 0
    with told.open("a") as out:
        for each in missed(edge.ledger, SHARD, last, now_ns=edge.time.now_ns()):
            _tell(out, each)
        while True:
            edge.poll()
            for each in edge.outgoing:
                _tell(out, each)
            edge.outgoing.clear()
            if SHARD in edge.shards:
                taken = edge.marks(SHARD).get(("execution", SHARD), (0, 0))[1]
                if SHARD in edge.gaps:
                    edge.gaps.clear()
                    given = taken
                for number, line in enumerate(whole_lines(folder / "inputs.jsonl"), 1):
                    if number > given:
                        _give(edge, number, line)
                        given = number
            select.select(edge.filenos(), [], [], min(0.005, edge.patience_ns() / 1e9))


def _give(edge: Edge, number: int, line: dict[str, Any]) -> None:
    envelope = Envelope(
        name=line["name"], id=f"m{number}", key=SHARD, sender="execution", sender_key=SHARD, epoch=1, number=number,
        previous=number - 1, sent_at_ns=line["sent_at_ns"], deadline_ns=line["deadline_ns"],
    )  # fmt: skip
    edge.handle(envelope, decode_message(line["name"], json.dumps(line["body"]).encode()))


def _tell(out: Any, each: Any) -> None:
    line = {"number": each.envelope.number, "name": each.envelope.name, "body": json.loads(each.body)}
    out.write(json.dumps(line) + "\n")
    out.flush()
    os.fsync(out.fileno())
