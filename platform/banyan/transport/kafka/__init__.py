"""The transport between sides that share no database: Kafka carries what outboxes keep."""

from banyan.transport.kafka.apart import Apart
from banyan.transport.kafka.intake import Intake
from banyan.transport.kafka.link import Link
from banyan.transport.kafka.onlooker import Onlooker
from banyan.transport.kafka.overheard import Ear
from banyan.transport.kafka.questions import Answers, Asker
from banyan.transport.kafka.relay import Relay
from banyan.transport.kafka.tail import Tail

__all__ = ["Answers", "Apart", "Asker", "Ear", "Intake", "Link", "Onlooker", "Relay", "Tail"]
