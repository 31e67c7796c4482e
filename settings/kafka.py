"""Which Kafka cluster the environment names, and how it is to be spoken to."""

from pathlib import Path

from banyan.kafka import Cluster, KafkaServer
from settings.env import REQUIRED, Environment, absolute_path, brokers, one_of, text, topic_prefix, whole_number

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def cluster(environment: Environment, server: KafkaServer | None) -> Cluster:
    """Return the cluster of `KAFKA_BOOTSTRAP`, or else the development `server`; neither is connected to.

    Raises SettingError for a variable that cannot be used, or that its protocol needs and that is not set.
    """
    prefix = environment.read("BANYAN_ENVIRONMENT", topic_prefix, example="production", default="dev")
    bootstrap = environment.read("KAFKA_BOOTSTRAP", brokers, example="kafka-1:9092,kafka-2:9092", default="")
    if not bootstrap:
        return Cluster(prefix, server=server)
    unsaid = "PLAINTEXT" if all(map(_is_here, bootstrap.split(","))) else REQUIRED
    protocol = environment.read("KAFKA_SECURITY_PROTOCOL", one_of(*_PROTOCOLS), example="SASL_SSL", default=unsaid)
    security = {"security.protocol": protocol}
    if "SSL" in protocol.split("_"):
        security |= _tls(environment)
    if protocol.startswith("SASL"):
        security |= {
            "sasl.mechanism": environment.read(
                "KAFKA_SASL_MECHANISM", one_of(*_MECHANISMS), example="SCRAM-SHA-512", default="SCRAM-SHA-512"
            ),
            "sasl.username": environment.read("KAFKA_USERNAME", text, example="banyan-app"),
            "sasl.password": environment.read("KAFKA_PASSWORD", text, example="<the password of that user>"),
        }
    copies = environment.read("KAFKA_COPIES", whole_number(1, 9), example="3", default=3)
    return Cluster(prefix, bootstrap, security, copies=copies)


def _is_here(broker: str) -> bool:
    """Tell whether a broker is on this machine: to others nobody speaks in the clear unless that was said."""
    return broker.rpartition(":")[0].strip("[]") in ("localhost", "127.0.0.1", "::1")


def kafka_server(environment: Environment, data_directory: Path) -> KafkaServer:
    """Return the development broker of this checkout, which only `manage.py kafka` starts."""
    directory = environment.read(
        "BANYAN_KAFKA_DIR", absolute_path, example="/srv/banyan/kafka", default=data_directory / "kafka" / "broker"
    )
    return KafkaServer(directory, data_directory / "kafka" / "jars")


def _tls(environment: Environment) -> dict[str, str]:
    found = {
        "ssl.ca.location": environment.read("KAFKA_CA_FILE", absolute_path, example="/etc/banyan/ca.pem", default=""),
        "ssl.certificate.location": environment.read(
            "KAFKA_CERTIFICATE_FILE", absolute_path, example="/etc/banyan/app.pem", default=""
        ),
        "ssl.key.location": environment.read(
            "KAFKA_KEY_FILE", absolute_path, example="/etc/banyan/app.key", default=""
        ),
        "ssl.key.password": environment.read(
            "KAFKA_KEY_PASSWORD", text, example="<the password of that key>", default=""
        ),
    }
    return {option: str(value) for option, value in found.items() if value}
