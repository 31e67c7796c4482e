"""`manage.py api_schema`: the contract of the REST API, compared and kept."""

import argparse
from typing import Any

import orjson

from apps.api.docs import KEPT
from banyan import commands


def _write_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--anyway", action="store_true", help="even so: nobody relies on it yet")


def _no_arguments(_: argparse.ArgumentParser) -> None:
    """It needs none."""


class Command(commands.Command):
    """Compares the contract with the one that is kept, and keeps it."""

    help = "Keep the contract of the REST API (apps/api/openapi.json), from which documentation and clients are made."
    examples = """
  manage.py api_schema check
  manage.py api_schema write"""
    actions = (
        commands.Action("check", "fail where the kept contract is not what the API is", _no_arguments),
        commands.Action(
            "write", "keep the contract as it is now, unless callers could not live with the change",
            _write_arguments,
        ),
    )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it."""
        from apps.api.schema import contract, incompatibilities  # slow to import

        now = contract()
        kept = orjson.loads(KEPT.read_bytes()) if KEPT.exists() else None
        broken = incompatibilities(kept, now) if kept else []
        if broken and not options.get("anyway"):
            raise ContractError("callers could not live with this change: " + "; ".join(broken))
        if options["action"] == "write":
            KEPT.write_bytes(orjson.dumps(now, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            self.say(f"{len(now['paths'])} addresses are in {KEPT.name}")
        elif kept != orjson.loads(orjson.dumps(now)):
            raise ContractError("the API is not what apps/api/openapi.json says: `manage.py api_schema write`")
        else:
            self.say(f"{len(now['paths'])} addresses, all as they are kept in {KEPT.name}")


class ContractError(ValueError):
    """The contract is not the one that is kept, or may not become it."""
