"""`manage.py topics`: the topics and rules that the system wants, against those of the Kafka cluster."""

import json
import sys
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import import_string

from banyan import commands
from banyan.kafka import Cluster
from banyan.kafka.planning import Difference, apply, differences, rules_of


class Command(commands.Command):
    """Plan, apply or verify topics."""

    help = (
        "Compare the topics and access rules that the system wants with those of the Kafka cluster. `plan` shows what "
        "would be done, `apply` does it, `verify` ends with exit code 1 when there is a difference. The number of "
        "partitions of a topic is never changed, and no topic is ever deleted."
    )

    examples = """
  manage.py topics plan
  manage.py topics apply
  manage.py topics apply --with execution
  manage.py topics verify --json"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        parser.add_argument("action", choices=["plan", "apply", "verify"])
        parser.add_argument(
            "--with", dest="coming", default="", metavar="CONTEXT",
            help="as it is to be when CONTEXT has a service, which it is about to get",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="one JSON object for each difference")

    def run(self, **options: Any) -> None:
        """Do it."""
        cluster: Cluster = settings.KAFKA
        topics, principals = import_string(settings.TOPICS)([options["coming"]] if options["coming"] else [])
        rules = rules_of(topics, principals, cluster.environment)
        admin = AdminClient(cluster.options(socket_timeout_ms=10_000))
        compare = apply if options["action"] == "apply" else differences
        try:
            found = compare(admin, topics, rules, cluster.copies, cluster.environment)
        except KafkaException as problem:
            reason = problem.args[0]
            raise CommandError(f"Kafka on {cluster.address()}: {getattr(reason, 'str', lambda: reason)()}") from None
        for each in found:
            self._tell(each, as_json=options["json"])
        problems = [each for each in found if each.action == "problem"]
        if not found:
            self.whisper(f"{commands.counted(len(topics), 'topic')} as planned")
        if problems or (options["action"] == "verify" and found):
            sys.exit(1)

    def _tell(self, each: Difference, *, as_json: bool) -> None:
        if as_json:
            self.say(json.dumps({"action": each.action, "subject": each.subject, "detail": each.detail}))
        else:
            self.say(f"{each.action.upper() if each.action == 'problem' else each.action:<9} {_line(each)}")


def _line(each: Difference) -> str:
    return each.detail if each.rule is not None else f"{each.subject}: {each.detail}"
