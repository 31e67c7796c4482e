"""Who may write and read what, tried on a real broker that asks who one is."""

import socket
from collections.abc import Iterator

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from banyan.kafka import Cluster, KafkaServer
from banyan.kafka.planning import apply, rules_of
from settings.topics import TOPICS, planned
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(databases=["facade", "feeds", "signals"])
REFUSED = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)
APP, RISK, STRANGER = "banyan-app", "banyan-risk", "banyan-nobody"


class AskingServer(KafkaServer):
    """A broker with a second listener, where everybody says who they are; a password is the name."""

    def _configure(self) -> str:
        address = super()._configure()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        path = self.directory / "server.properties"
        lines = path.read_text().splitlines()
        said = [line for line in lines if not line.startswith(("listeners=", "advertised.", "listener.security."))]
        listeners = next(line.split("=", 1)[1] for line in lines if line.startswith("listeners="))
        users = " ".join(f'user_{name}="{name}"' for name in (APP, RISK, STRANGER))
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        said += [
            f"listeners={listeners},ASKING://127.0.0.1:{port}",
            f"advertised.listeners=PLAINTEXT://{address},ASKING://127.0.0.1:{port}",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,ASKING:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN",
            f"listener.name.asking.plain.sasl.jaas.config={module} required {users};",
        ]
        path.write_text("\n".join(said) + "\n")
        (self.directory / "asking").write_text(f"127.0.0.1:{port}")
        return address


@pytest.fixture(scope="module")
def server(kafka: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskingServer]:
    if kafka.server is None:
        pytest.skip("KAFKA_BOOTSTRAP names a cluster that is not ours to set up")
    made = AskingServer(tmp_path_factory.mktemp("asking") / "broker", kafka.server.jars)
    made.start()
    yield made
    made.remove()


@pytest.fixture
def asking(server: AskingServer) -> str:
    """Where the broker asks who one is, with the topics and rights that are planned."""
    admin = AdminClient({"bootstrap.servers": server.start()})
    topics, principals = planned()
    apply(admin, topics, rules_of(topics, principals, TOPICS.environment), 1, TOPICS.environment)
    return (server.directory / "asking").read_text()


def as_user(address: str, name: str, **more: object) -> dict[str, object]:
    return {
        "bootstrap.servers": address, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
        "sasl.username": name, "sasl.password": name, "log_level": 0, **more,
    }  # fmt: skip


def written(address: str, name: str, topic: str) -> int | None:
    """Return the code of what came of writing to a topic; None: it was taken."""
    found: list[KafkaError | None] = []
    producer = Producer(as_user(address, name, **{"message.timeout.ms": int(PATIENCE_SECONDS * 1000)}))
    producer.produce(topic, b"{}", "00", 0, lambda problem, _: found.append(problem))
    producer.flush(PATIENCE_SECONDS)
    [problem] = found
    return None if problem is None else problem.code()


def read(address: str, name: str, topic: str, group: str) -> int | None:
    consumer = Consumer(as_user(address, name, **{"group.id": group, "enable.partition.eof": True}))
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    record = consumer.poll(PATIENCE_SECONDS)
    consumer.close()
    assert record is not None
    problem = record.error()
    return None if problem is None or problem.code() == KafkaError._PARTITION_EOF else problem.code()


def test_nobody_but_the_service_of_risk_may_write_verdicts(asking):
    verdicts = TOPICS.name("risk", "execution", "")
    assert written(asking, RISK, verdicts) is None
    for name in (APP, STRANGER):
        assert written(asking, name, verdicts) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert read(asking, APP, verdicts, f"{TOPICS.environment}.execution.app.inputs") is None
    assert read(asking, STRANGER, verdicts, "stranger") in REFUSED
    assert read(asking, RISK, TOPICS.name("execution", "risk", ""), f"{TOPICS.environment}.risk.service.inputs") is None


def test_both_sides_of_risk_may_write_its_log_and_only_the_app_may_give_it_orders(asking):
    log, orders = TOPICS.name("risk", "risk", ""), TOPICS.name("execution", "risk", "")
    assert [written(asking, name, log) for name in (APP, RISK)] == [None, None]
    assert written(asking, STRANGER, log) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert written(asking, APP, orders) is None
    assert written(asking, RISK, orders) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert written(asking, RISK, TOPICS.requests("risk")) == KafkaError.TOPIC_AUTHORIZATION_FAILED
