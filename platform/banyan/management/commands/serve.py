"""`manage.py serve`: the admin on this machine, ready to be opened."""

import secrets
import socket
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser

from banyan import commands


class Command(commands.Command):
    """Migrate, make an administrator the first time, and serve by ASGI."""

    help = "Bring the databases up to date and serve the admin. The first time it prints an administrator's password."
    examples = """
  manage.py serve
  manage.py serve --host 0.0.0.0 --port 8080"""
    when_stopped = "stopped by Ctrl-C"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address to listen on."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")

    def run(self, **options: Any) -> None:
        """Serve until interrupted. Raises CommandError when the address is taken."""
        import uvicorn

        call_command("migrate", verbosity=0)
        password = make_first_administrator()
        if password is not None:
            self.say(f"Administrator: admin, password: {password} (shown only now)")
        config = uvicorn.Config("settings.asgi:application", lifespan="off", log_level="warning")
        address = (options["host"], options["port"])
        try:
            listener = listen(*address)
        except OSError as problem:
            raise CommandError(f"Cannot listen on {address[0]}:{address[1]}: {problem.strerror}. Try --port.") from None
        config.load()
        self.say(f"Ready: http://{address[0]}:{address[1]}/admin/ (Ctrl-C stops)")
        uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address, so that connections wait from now on. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def make_first_administrator() -> str | None:
    """Return the password of the user `admin` made now, or None where there is an administrator already."""
    users = get_user_model()._default_manager
    if users.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser("admin", password=password)
    return password
