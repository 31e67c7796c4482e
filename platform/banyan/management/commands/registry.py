"""`manage.py registry`: a schema registry for development."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from banyan import commands
from banyan.kafka.registry import RegistryServer


class Command(commands.Command):
    """Start, stop or look at the development registry."""

    help = (
        "Start, stop or look at a schema registry of this checkout: Apicurio, on this machine only, with nothing kept "
        "when it stops. Needs Java and Maven, which builds it the first time (about a minute)."
    )

    examples = """
  manage.py registry start
  manage.py registry stop"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        parser.add_argument("action", choices=["start", "stop", "status"])

    def run(self, **options: Any) -> None:
        """Do it; `status` ends with exit code 1 where none answers."""
        server = RegistryServer(settings.DATA_DIR / "kafka" / "registry")
        match options["action"]:
            case "start":
                url = server.start()
                self.say(f"a registry answers: export SCHEMA_REGISTRY_URL={url}")
            case "stop":
                self.say("the registry is stopped" if server.stop() else "the registry did not run")
            case _:
                found = server.url()
                if found is None:
                    raise CommandError("there is none. Start one with `make registry`")
                self.say(f"a registry answers on {found}")
