"""Apache Kafka as this system uses it: which cluster, which topics, and a broker of our own for development."""

from banyan.kafka.cluster import Cluster
from banyan.kafka.server import KafkaError, KafkaServer

__all__ = ["Cluster", "KafkaError", "KafkaServer"]
