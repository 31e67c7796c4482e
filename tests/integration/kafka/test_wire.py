"""The reader of docs/wire.md does what the page says, with nothing of ours imported."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer

from banyan.codec import Envelope, encode_envelope, encode_message
from tests.integration.host.tally import Added
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk"])
PAGE = Path(__file__).resolve().parents[3] / "docs" / "wire.md"
ADDED = Added.wire_name


@pytest.fixture
def reader(tmp_path):
    [program] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    path = tmp_path / "reader.py"
    path.write_text(program)

    def read(bench) -> list[dict]:
        command = [sys.executable, "-I", str(path), bench.cluster.address(), bench.topic]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return read


def test_a_program_of_its_own_reads_each_message_once(bench, reader):
    execution = bench.side("execution").start()
    execution.say(1, 2, 2**60)
    bench.until(lambda: execution.link.relay.count == 3)
    assert reader(bench) == [
        {"name": ADDED, "key": "a", "message": {"number": 1, "total": 1}},
        {"name": ADDED, "key": "a", "message": {"number": 2, "total": 3}},
        {"name": ADDED, "key": "a", "message": {"number": 2**60, "total": 3 + 2**60}},
    ]


def test_it_passes_over_what_comes_again_and_tells_of_what_is_missing(bench, reader):
    producer = Producer(bench.cluster.options())
    for epoch, number, previous in ((1, 4096, 0), (1, 4096, 0), (1, 12288, 8192), (2, 8192, 4096), (2, 4096, 0)):
        place = {"epoch": epoch, "number": number, "previous": previous}
        envelope = Envelope(name=ADDED, id="x", key="a", sender="execution", sender_key="a", **place)
        body = encode_message(Added(number=number, total=number))
        producer.produce(bench.topic, body, "a", 0, headers=[("envelope", encode_envelope(envelope))])
    producer.flush(PATIENCE_SECONDS)
    found = reader(bench)
    assert [each.get("missing_after", (each.get("message") or {}).get("number")) for each in found] == [
        4096,
        4096,
        8192,
    ]
    assert found[1] == {"stream": ["execution", "a", "a"], "missing_after": 4096}
