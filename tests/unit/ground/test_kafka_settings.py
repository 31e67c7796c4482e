import pytest

from banyan.kafka import KafkaError
from settings.env import Environment, SettingError, contexts
from settings.kafka import cluster

NAMED = {"KAFKA_BOOTSTRAP": "kafka-1:9092, kafka-2:9092"}


def test_tls_and_sasl_become_options_of_the_client():
    variables = {
        **NAMED, "KAFKA_SECURITY_PROTOCOL": "sasl_ssl", "KAFKA_USERNAME": "banyan-app", "KAFKA_PASSWORD": "hunter2",
        "KAFKA_CA_FILE": "/etc/banyan/ca.pem", "BANYAN_ENVIRONMENT": "production",
    }  # fmt: skip
    found = cluster(Environment(variables), None)
    assert found.environment == "production"
    assert found.options(linger_ms=1) == {
        "bootstrap.servers": "kafka-1:9092,kafka-2:9092",
        "client.id": "banyan",
        "log_level": 2,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "banyan-app",
        "sasl.password": "hunter2",
        "ssl.ca.location": "/etc/banyan/ca.pem",
        "linger.ms": 1,
    }
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("KAFKA_BOOTSTRAP", "kafka-1", "must be brokers as host:port"),
        ("KAFKA_BOOTSTRAP", "kafka-1:99999", "must be brokers as host:port"),
        ("KAFKA_BOOTSTRAP", "kafka://kafka-1:9092", "must be brokers as host:port"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI", "must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ("KAFKA_CA_FILE", "ca.pem", "must be an absolute path"),
        ("BANYAN_ENVIRONMENT", "dev.eu", "must be a lower-case word"),
    ],
)
def test_a_bad_variable_is_named_with_its_problem_and_not_repeated(name, value, problem):
    variables = {
        **NAMED, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p", name: value,
    }  # fmt: skip
    with pytest.raises(SettingError, match=problem) as refused:
        cluster(Environment(variables), None)
    assert str(refused.value).startswith(f"{name} ")


def test_sasl_without_a_password_is_refused():
    variables = {**NAMED, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_USERNAME": "banyan-app"}
    with pytest.raises(SettingError, match="KAFKA_PASSWORD is not set"):
        cluster(Environment(variables), None)


@pytest.mark.parametrize("brokers", ["kafka-1:9092", "127.0.0.1:9092,kafka-1:9092", "127.0.0.1.evil.example:9092"])
def test_brokers_of_other_machines_are_spoken_to_in_the_clear_only_where_somebody_has_said_so(brokers):
    with pytest.raises(SettingError, match="KAFKA_SECURITY_PROTOCOL is not set. Set it, for example .*=SASL_SSL"):
        cluster(Environment({"KAFKA_BOOTSTRAP": brokers}), None)
    said = cluster(Environment({"KAFKA_BOOTSTRAP": brokers, "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}), None)
    assert said.options()["security.protocol"] == "PLAINTEXT"


@pytest.mark.parametrize("brokers", ["127.0.0.1:9092", "localhost:9092,127.0.0.1:9093", "[::1]:9092"])
def test_brokers_of_this_machine_need_no_word(brokers):
    assert cluster(Environment({"KAFKA_BOOTSTRAP": brokers}), None).options()["security.protocol"] == "PLAINTEXT"


def test_where_there_is_no_cluster_whoever_asks_is_told_how_to_name_one():
    with pytest.raises(KafkaError, match="Name one: KAFKA_BOOTSTRAP="):
        cluster(Environment({}), None).address()


def test_only_a_context_that_can_be_a_service_is_taken_for_extracted():
    assert contexts("risk")("risk") == ("risk",)
    with pytest.raises(ValueError, match="must hold of risk only"):
        contexts("risk")("risk,feeds")
