"""`manage.py kafka`: an Apache Kafka broker for development, without Docker."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from banyan import commands
from banyan.kafka import Cluster


class Command(commands.Command):
    """Start, stop or look at the development broker."""

    help = (
        "Start, stop or look at an Apache Kafka broker of this checkout: one node, on this machine only. "
        "Needs Java and Maven, which gets its jars the first time."
    )

    examples = """
  manage.py kafka start
  manage.py kafka status
  manage.py kafka stop"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        parser.add_argument("action", choices=["start", "stop", "status"])

    def run(self, **options: Any) -> None:
        """Do it; `status` ends with exit code 1 where no broker answers."""
        cluster: Cluster = settings.KAFKA
        if cluster.bootstrap or cluster.server is None:
            raise CommandError(
                f"the cluster is {cluster.bootstrap} (KAFKA_BOOTSTRAP), which is not ours to start or stop"
                if cluster.bootstrap
                else "there is no broker of our own under these settings: name yours by KAFKA_BOOTSTRAP"
            )
        match options["action"]:
            case "start":
                self.say(f"Kafka answers on {cluster.server.start()}")
            case "stop":
                self.say("Kafka is stopped" if cluster.server.stop() else "Kafka did not run")
            case _:
                self.say(f"Kafka answers on {cluster.address()}")
