"""The transport between sides that share no database: Kafka carries what outboxes keep."""

from banyan.transport.kafka.intake import Intake
from banyan.transport.kafka.link import Link
from banyan.transport.kafka.relay import Relay

__all__ = ["Intake", "Link", "Relay"]
