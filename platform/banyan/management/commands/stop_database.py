"""`manage.py stop_database`: stop the embedded server that other commands left running."""

from typing import Any

from django.conf import settings

from banyan import commands


class Command(commands.Command):
    """Stop the embedded PostgreSQL server."""

    help = "Stop the embedded PostgreSQL server. The next command that needs it starts it again."
    examples = """
  manage.py stop_database"""

    def run(self, **options: Any) -> None:
        """Stop each embedded server once; a server of your own is left alone."""
        servers = {server for database in settings.DATABASES.values() if (server := database.get("EMBEDDED"))}
        for server in servers:
            stopped = server.stop()
            self.say(f"{server.directory}: {'stopped' if stopped else 'was not running'}")
        if not servers:
            self.say("No embedded server is in use: every database has a URL of its own.")
