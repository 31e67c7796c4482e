import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from banyan.kafka import Cluster, KafkaError, KafkaServer
from banyan.transport.kafka.lag import Lag
from tests.patience import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def server(kafka: Cluster, tmp_path: Path):
    if kafka.server is None:
        pytest.skip("KAFKA_BOOTSTRAP names a cluster that is not ours to kill")
    made = KafkaServer(tmp_path / "broker", kafka.server.jars)
    yield made
    made.remove()


def test_a_killed_broker_starts_again_where_it_was_with_all_that_it_had_acknowledged(server):
    address = server.start()
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic("kept", 3, 1)])["kept"].result(PATIENCE_SECONDS)
    producer = Producer({"bootstrap.servers": address, "acks": "all"})
    producer.produce("kept", b"still here", partition=1)
    assert producer.flush(PATIENCE_SECONDS) == 0
    lag, place = Lag(), TopicPartition("kept", 1)
    options = {"bootstrap.servers": address, "group.id": "test", "enable.auto.commit": False}
    reading = Consumer({**options, "on_commit": lag.answered})
    reading.assign([TopicPartition("kept", 1, 0)])

    def is_shown() -> bool:
        lag.report(reading, {"a": [("kept", 1)]}, {("a", "kept", 1): 0})
        reading.poll(0.05)
        with contextlib.suppress(KafkaException):
            return reading.committed([place], timeout=1.0)[0].offset == 0
        return False

    wait_until(is_shown, "a place that Kafka shows")
    server.kill()
    assert server.address() is None
    lag.report(reading, {"a": [("kept", 1)]}, {("a", "kept", 1): 1})
    lag.close(reading)
    names = [thread.name for thread in threading.enumerate()]
    assert not lag._is_pending or "closing" in names, "nobody waits for who is away and has not answered"
    assert server.start() == address
    assert server.start() == address
    consumer = Consumer(options)
    consumer.assign([TopicPartition("kept", 1, 0)])
    record = consumer.poll(PATIENCE_SECONDS)
    assert record is not None
    assert record.value() == b"still here"
    consumer.close()
    assert server.stop()
    assert server.address() is None
    assert not server.stop()


def test_a_process_that_only_has_the_number_of_a_dead_broker_is_left_alone(tmp_path):
    server = KafkaServer(tmp_path / "broker", tmp_path / "jars")
    (tmp_path / "broker").mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (tmp_path / "broker" / "pid").write_text(str(other.pid))
        (tmp_path / "broker" / "address").write_text("127.0.0.1:9")
        assert server.address() is None
        assert not server.stop()
        server.kill()
        assert other.poll() is None
        other.communicate(b"\n")
    assert other.returncode == 0


def test_without_java_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KafkaError, match=r"needs Java and Maven \(on Debian: apt-get install"):
        KafkaServer(tmp_path / "broker", tmp_path / "jars").start()


def manage(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "kafka", *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, **variables},
    )  # fmt: skip


def test_status_of_a_broker_that_does_not_run_says_how_to_start_one(tmp_path):
    asked = manage("status", BANYAN_KAFKA_DIR=str(tmp_path / "broker"))
    assert asked.returncode == 1
    assert "Start one with `make kafka`" in asked.stderr
    assert len(asked.stderr.splitlines()) == 1


def test_a_cluster_of_somebody_else_is_neither_started_nor_stopped():
    asked = manage("stop", KAFKA_BOOTSTRAP="kafka.invalid:9092", KAFKA_SECURITY_PROTOCOL="SSL")
    assert asked.returncode == 1
    assert "which is not ours to start or stop" in asked.stderr
