"""`manage.py deadletters`: what could not be processed, and what a person makes of it."""

import argparse
import json
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.module_loading import import_string

from banyan import commands
from banyan.codec import decode_envelope
from banyan.dead_letters import drop, redrive, release
from banyan.models import DeadLetter, Key


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    _context_argument(parser)
    parser.add_argument("--all", action="store_true", help="also those that were redriven or dropped")
    parser.add_argument("--json", action="store_true", help="a JSON object per line")


def _letter_arguments(parser: argparse.ArgumentParser) -> None:
    _context_argument(parser)
    parser.add_argument("letter", help="the letter's number, as list shows it")


def _key_arguments(parser: argparse.ArgumentParser) -> None:
    _context_argument(parser)
    parser.add_argument("key", help="the key, as list shows it")


def _context_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("context", help="feeds, signals, execution or risk")


class Command(commands.Command):
    """List, show, redrive and drop dead letters, and let keys go on that stopped at one."""

    help = (
        "A message that fails again and again, or a bad row of one, is put aside and the rest goes on; a message that "
        "cannot be decoded stops its key. redrive sends a letter again, as a new message. drop gives it up. release "
        "lets a key go on: the message that it stopped at becomes a dead letter."
    )

    examples = """
  manage.py deadletters list execution
  manage.py deadletters redrive execution 3"""
    actions = (
        commands.Action(
            "list", "list letters that wait for a person, and keys that have stopped", _list_arguments,
            """
  manage.py deadletters list execution
  manage.py deadletters list risk --all --json""",
        ),
        commands.Action(
            "show", "show a letter: why it is one, its envelope and its message", _letter_arguments,
            """
  manage.py deadletters show execution 3""",
        ),
        commands.Action(
            "redrive", "send a letter again, as a new message", _letter_arguments,
            """
  manage.py deadletters redrive execution 3""",
        ),
        commands.Action(
            "drop", "give a letter up", _letter_arguments,
            """
  manage.py deadletters drop execution 3""",
        ),
        commands.Action(
            "release", "let a key go on: the message that it stopped at becomes a dead letter", _key_arguments,
            """
  manage.py deadletters release execution 07""",
        ),
    )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it."""
        name = options["context"]
        if name not in import_string(settings.HOSTED_CONTEXTS):
            raise CommandError(f"there is no context {name} with dead letters")
        match options["action"]:
            case "list":
                self._list(name, everything=options["all"], as_json=options["json"])
            case "release":
                self._release(name, options["key"])
            case action:
                letter = self._letter(name, options["letter"])
                {"show": self._show, "redrive": self._redrive, "drop": self._drop}[action](name, letter)

    def _letter(self, name: str, which: str) -> DeadLetter:
        found = DeadLetter.objects.using(name).filter(pk=which).first() if which.isdigit() else None
        if found is None:
            raise CommandError(f"{name} has no dead letter {which}: `manage.py deadletters list {name} --all`")
        return found

    def _list(self, name: str, *, everything: bool, as_json: bool) -> None:
        letters = DeadLetter.objects.using(name).all()
        for letter in letters if everything else letters.filter(status=DeadLetter.Status.OPEN):
            record = {
                "id": letter.pk,
                "key": letter.key,
                "number": letter.number,
                "message": decode_envelope(bytes(letter.header)).name,
                "rows": letter.rows,
                "accounts": letter.accounts,
                "status": letter.status,
                "parked_at": letter.parked_at.isoformat(),
                "reason": letter.reason,
            }
            if as_json:
                self.say(json.dumps(record))
            else:
                what = "all of it" if letter.rows is None else f"rows {letter.rows}, accounts {letter.accounts}"
                self.say(
                    f"{letter.pk:>6} {letter.parked_at:%Y-%m-%d %H:%M:%S} {letter.status:<8} {letter.key} "
                    f"#{letter.number} {record['message']}, {what}: {letter.reason}"
                )
        if not as_json:
            for key in Key.objects.using(name).exclude(parked_because=""):
                self.say(f"key {key.key} has stopped: {key.parked_because}")

    def _show(self, _: str, letter: DeadLetter) -> None:
        self.say(letter.reason)
        self.say(bytes(letter.header).decode(errors="replace"))
        self.say(bytes(letter.body).decode(errors="replace"))

    def _redrive(self, name: str, letter: DeadLetter) -> None:
        self.say(redrive(name, str(letter.pk))[0])

    def _drop(self, name: str, letter: DeadLetter) -> None:
        self.say(drop(name, str(letter.pk))[0])

    def _release(self, name: str, key: str) -> None:
        self.say(release(name, key)[0])
