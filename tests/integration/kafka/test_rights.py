"""Who may write and read what, tried on a real broker that asks who one is, in the clear and by TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from banyan.kafka import Cluster, KafkaServer
from banyan.kafka.planning import apply, rules_of
from banyan.kafka.running import free_ports
from settings.env import Environment
from settings.kafka import cluster
from settings.topics import TOPICS, planned
from tests.integration.kafka.certificates import Authority
from tests.patience import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.django_db(databases=["facade", "feeds", "signals"])
REFUSED = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)
APP, RISK, STRANGER = "banyan-app", "banyan-risk", "banyan-nobody"


class AskingServer(KafkaServer):
    """A broker with two more listeners, where everybody says who they are; a password is the name.

    At one of them both sides show a certificate of the authority `root.pem` in the broker's folder too.
    """

    def _configure(self) -> str:
        address = super()._configure()
        port, sealed = free_ports(2)
        root = Authority(self.directory, "root")
        certificate, key = root.issue("localhost")
        (self.directory / "broker.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        root.issue(APP, password="of the key")
        path = self.directory / "server.properties"
        lines = path.read_text().splitlines()
        said = [line for line in lines if not line.startswith(("listeners=", "advertised.", "listener.security."))]
        listeners = next(line.split("=", 1)[1] for line in lines if line.startswith("listeners="))
        users = " ".join(f'user_{name}="{name}"' for name in (APP, RISK, STRANGER))
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
        said += [
            f"listeners={listeners},ASKING://127.0.0.1:{port},SEALED://127.0.0.1:{sealed}",
            f"advertised.listeners=PLAINTEXT://{address},ASKING://127.0.0.1:{port},SEALED://localhost:{sealed}",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,ASKING:SASL_PLAINTEXT,SEALED:SASL_SSL",
            "sasl.enabled.mechanisms=PLAIN",
            "listener.name.sealed.sasl.enabled.mechanisms=SCRAM-SHA-512",
            f"listener.name.sealed.scram-sha-512.sasl.jaas.config={scram} required;",
            "listener.name.sealed.ssl.client.auth=required",
            *(
                f"listener.name.sealed.ssl.{store}.{what}"
                for store, file in (("keystore", "broker.pem"), ("truststore", "root.pem"))
                for what in ("type=PEM", f"location={self.directory / file}")
            ),
            f"listener.name.asking.plain.sasl.jaas.config={module} required {users};",
        ]
        path.write_text("\n".join(said) + "\n")
        (self.directory / "asking").write_text(f"127.0.0.1:{port}")
        (self.directory / "sealed").write_text(f"localhost:{sealed}")
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
def sealed(server: AskingServer) -> dict[str, str]:
    """The variables of an app that speaks to the broker by TLS, and is known there by a password of its own."""
    told = UserScramCredentialUpsertion(APP, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"of the user")
    admin = AdminClient({"bootstrap.servers": server.start()})
    admin.alter_user_scram_credentials([told])[APP].result(PATIENCE_SECONDS)
    folder = server.directory
    return {
        "KAFKA_BOOTSTRAP": (folder / "sealed").read_text(), "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_USERNAME": APP, "KAFKA_PASSWORD": "of the user", "KAFKA_CA_FILE": str(folder / "root.pem"),
        "KAFKA_CERTIFICATE_FILE": str(folder / f"{APP}.pem"), "KAFKA_KEY_FILE": str(folder / f"{APP}.key"),
        "KAFKA_KEY_PASSWORD": "of the key",
    }  # fmt: skip


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


def test_the_variables_of_the_environment_lead_through_tls_and_sasl(asking, sealed):
    ours = cluster(Environment(sealed), None)
    assert TOPICS.compared("risk") in AdminClient(ours.options()).list_topics(timeout=PATIENCE_SECONDS).topics
    found: list[KafkaError | None] = []
    producer = Producer(ours.options())
    producer.produce(TOPICS.name("risk", "risk", ""), b"{}", "00", 0, lambda problem, _: found.append(problem))
    producer.flush(PATIENCE_SECONDS)
    assert found == [None]


@pytest.mark.parametrize(
    ("name", "code"), [("KAFKA_PASSWORD", KafkaError._AUTHENTICATION), ("KAFKA_CA_FILE", KafkaError._SSL)]
)
def test_whom_the_broker_does_not_know_and_a_broker_that_we_do_not_know_are_not_spoken_to(
    sealed, tmp_path: Path, name, code
):
    wrong = {"KAFKA_PASSWORD": "another", "KAFKA_CA_FILE": str(Authority(tmp_path, "stranger").path)}[name]
    found: list[KafkaError] = []
    producer = Producer(cluster(Environment({**sealed, name: wrong}), None).options() | {"error_cb": found.append})

    def is_refused() -> bool:
        producer.poll(0.1)
        return code in {each.code() for each in found}

    wait_until(is_refused, "a refusal")
