"""`manage.py api_keys`: keys of the REST API, made, listed, rotated and revoked."""

import argparse
from typing import Any

from django.utils import timezone

from apps.api.keys import SCOPES, Wanted, make, revoke, rotate
from apps.api.models import Key
from banyan import commands

_SHOWN = (
    "id", "name", "client", "scopes", "networks", "calls_per_minute", "streams", "expires_at", "used_at",
    "revoked_at",
)  # fmt: skip


def _make_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="what it is for")
    parser.add_argument(
        "--scope", action="append", default=[], help=f"what it may do, once for each: {', '.join(SCOPES)} (read)"
    )
    parser.add_argument("--client", default="", help="whose accounts it reaches (those of all clients)")
    _days_argument(parser)
    parser.add_argument(
        "--network", action="append", default=[], metavar="CIDR", help="where it may be used from, once for each"
    )
    parser.add_argument("--calls", type=int, default=600, metavar="N", help="calls a minute (600)")
    parser.add_argument("--streams", type=int, default=50, metavar="N", help="streams open at once in a server (50)")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--client", help="only this client's")
    parser.add_argument("--all", action="store_true", help="those that have expired or were revoked too")
    parser.add_argument("--json", action="store_true", help="a JSON array")


def _rotate_arguments(parser: argparse.ArgumentParser) -> None:
    _key_argument(parser)
    _days_argument(parser)
    parser.add_argument(
        "--overlap", type=float, default=24.0, metavar="HOURS", help="for how long the old one is good too (24)"
    )


def _key_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", help="its id, the part between the underscores")


def _days_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=int, default=90, help="for how many days it is good (90)")


class Command(commands.Command):
    """Makes keys and takes them away."""

    help = "Make, list, rotate and revoke keys of the REST API. A key is printed once; what is kept is its hash."
    examples = """
  manage.py api_keys make --name "ACME's reports" --client acme
  manage.py api_keys list
  manage.py api_keys revoke abcdefghijkl"""
    actions = (
        commands.Action(
            "make", "make a key and print it, once", _make_arguments,
            """
  manage.py api_keys make --name "ACME's robot" --client acme --scope read --scope trade --network 203.0.113.0/24
  manage.py api_keys make --name "night desk" --scope read --scope operate --days 30""",
        ),
        commands.Action("list", "show keys that are good, without what they are", _list_arguments),
        commands.Action("rotate", "make a key like another, which goes on for a while", _rotate_arguments),
        commands.Action("revoke", "let a key do nothing more, at once", _key_argument),
    )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it."""
        match options["action"]:
            case "make":
                wanted = Wanted(
                    options["name"], options["scope"] or ["read"], options["client"], options["days"],
                    options["network"], options["calls"], options["streams"],
                )  # fmt: skip
                self._say_made(*make(wanted))
            case "rotate":
                key, written = rotate(options["key"], days=options["days"], overlap_hours=options["overlap"])
                self._say_made(key, written)
                old = Key.objects.get(id=options["key"])
                self.whisper(f"{old.id} goes on until {old.expires_at:%Y-%m-%d %H:%M} UTC")
            case "revoke":
                self.say(f"{revoke(options['key'])} does nothing more")
            case _:
                self._list(options)

    def _say_made(self, key: Key, written: str) -> None:
        self.say(written)
        whose = f"{key.client}'s accounts" if key.client else "the accounts of all clients"
        self.whisper(f"{', '.join(key.scopes)} on {whose} until {key.expires_at:%Y-%m-%d}; it is not shown again")

    def _list(self, options: dict[str, Any]) -> None:
        found = Key.objects.all()
        if options["client"] is not None:
            found = found.filter(client=options["client"])
        if not options["all"]:
            found = found.filter(revoked_at=None, expires_at__gt=timezone.now())
        if options["json"]:
            self.say_json(list(found.values(*_SHOWN)))
            return
        for key in found:
            whose = key.client or "all clients"
            used = f"used {key.used_at:%Y-%m-%d %H:%M}" if key.used_at else "never used"
            end = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else f"until {key.expires_at:%Y-%m-%d}"
            self.say(f"{key.id}  {key.name}: {','.join(key.scopes)} of {whose}, {end}, {used}")
        if not found:
            self.say("no keys: `manage.py api_keys make --help`")
