"""Apache Kafka as this system uses it: which cluster, which topics, and a broker of our own for development."""

from banyan.kafka.cluster import Cluster
from banyan.kafka.running import KafkaError
from banyan.kafka.server import KafkaServer

__all__ = ["Cluster", "KafkaError", "KafkaServer"]
