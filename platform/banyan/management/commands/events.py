"""`manage.py events`: the logs, read, checked and replayed."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.module_loading import import_string

from banyan import commands
from banyan.codec import decode_envelope
from banyan.compression import expand
from banyan.context import Context
from banyan.host.delivery import split_events
from banyan.host.memory import RebuildError, digest_of, state_at, verify
from banyan.models import Key, Log
from banyan.store import Step, Store

_POLL_SECONDS = 0.5


def _log_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("context", help="feeds, signals, execution or risk")
    parser.add_argument("--key", help="only this key (a feed, a strategy set, a shard)")


def _tail_arguments(parser: argparse.ArgumentParser) -> None:
    _log_arguments(parser)
    parser.add_argument("--lines", type=int, default=20, help="steps to begin with (20)")
    parser.add_argument("--follow", action="store_true", help="go on until interrupted")
    parser.add_argument("--json", action="store_true", help="a JSON object per line")


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    _log_arguments(parser)
    parser.add_argument("--from", dest="first", type=int, default=1, help="first log number (1)")
    parser.add_argument("--to", dest="last", type=int, help="last log number (the end)")
    parser.add_argument("--json", action="store_true", help="a JSON object per line")


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    _log_arguments(parser)
    parser.add_argument("--to", dest="last", type=int, help="last log number (the end)")


class Command(commands.Command):
    """Show what the logs of a context hold, and prove that its state follows from them."""

    help = (
        "tail: the last steps, then each new one (--follow). show: steps from --from to --to. verify: logs have no gap "
        "and replay gives the digest of every snapshot. replay: rebuild the state from the log, and print its digest."
    )

    examples = """
  manage.py events tail signals --follow
  manage.py events show execution --key 07 --from 10 --to 12 --json
  manage.py events verify signals
  manage.py events replay signals --key trend"""

    actions = (
        commands.Action(
            "tail", "the last steps, then each new one (--follow)", _tail_arguments,
            """
  manage.py events tail signals --follow""",
        ),
        commands.Action(
            "show", "steps from --from to --to", _show_arguments,
            """
  manage.py events show execution --key 07 --from 10 --to 12 --json""",
        ),
        commands.Action(
            "verify", "logs have no gap, and replay gives the digest of every snapshot", _log_arguments,
            """
  manage.py events verify signals""",
        ),
        commands.Action(
            "replay", "rebuild the state from the log, and print its digest", _replay_arguments,
            """
  manage.py events replay signals --key trend""",
        ),
    )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it. Exit code 1: verify has found damage."""
        contexts: dict[str, Context[Any]] = import_string(settings.HOSTED_CONTEXTS)
        name = options["context"]
        if name not in contexts:
            raise CommandError(f"there is no context {name} with a log; those with one are {', '.join(contexts)}")
        keys = list(Key.objects.using(name).order_by("key").values_list("key", "number"))
        if options["key"] is not None:
            keys = [(key, number) for key, number in keys if key == options["key"]]
            if not keys:
                raise CommandError(f"{name} has no key {options['key']}: `manage.py status` lists them")
        store = Store(name)
        match options["action"]:
            case "tail":
                self._tail(name, [key for key, _ in keys], options)
            case "show":
                for key, number in keys:
                    for step in store.steps(key, options["first"] - 1, options["last"] or number):
                        self._write(step, options["json"])
            case "verify":
                damaged = [key for key, number in keys if not self._verify(contexts[name], store, key, number)]
                if damaged:
                    sys.exit(1)
            case "replay":
                for key, number in keys:
                    self._replay(contexts[name], store, key, options["last"] or number)
        store.close()

    def _tail(self, name: str, keys: list[str], options: dict[str, Any]) -> None:
        newest = Log.objects.using(name).filter(key__in=keys).order_by("-written_at", "-number")
        seen: dict[str, int] = {}
        for row in reversed(newest[: options["lines"]]):
            self._write(_step(row), options["json"])
            seen[row.key] = max(seen.get(row.key, 0), row.number)
        while options["follow"]:
            for step in self._newer(name, keys, seen):
                self._write(step, options["json"])
                seen[step.key] = step.number
            self.stdout.flush()
            time.sleep(_POLL_SECONDS)

    def _newer(self, name: str, keys: list[str], seen: dict[str, int]) -> Iterator[Step]:
        for key in keys:
            rows = Log.objects.using(name).filter(key=key, number__gt=seen.get(key, 0)).order_by("number")
            yield from map(_step, rows.iterator())

    def _write(self, step: Step, as_json: bool) -> None:
        envelope = decode_envelope(step.header)
        events = split_events(step.events)
        if as_json:
            record = {
                "key": step.key,
                "number": step.number,
                "received_at_ns": step.received_at_ns,
                "envelope": json.loads(step.header),
                "message": json.loads(step.body),
                "events": [[name, json.loads(body)] for name, body in events],
            }
            self.say(json.dumps(record))
            return
        received = datetime.fromtimestamp(step.received_at_ns / 1e9, UTC)
        gave = ", ".join(f"{name} ({len(body):,} B)" for name, body in events) or "nothing"
        took = f"{step.key} #{step.number} {envelope.name} ({len(step.body):,} B)"
        self.say(f"{received:%Y-%m-%d %H:%M:%S.%f} {took} -> {gave}")

    def _verify(self, context: Context[Any], store: Store, key: str, number: int) -> bool:
        try:
            checked = verify(context, store, key, number)
        except RebuildError as problem:
            self.stderr.write(str(problem))
            return False
        self.say(f"{context.name}/{key}: {number:,} steps without a gap, {checked} snapshots equal to replay")
        return True

    def _replay(self, context: Context[Any], store: Store, key: str, number: int) -> None:
        started = time.perf_counter()
        state, begins = state_at(context, store, key, number)
        seconds = time.perf_counter() - started
        digest = digest_of(context.to_snapshot(state))
        self.say(f"{context.name}/{key}: state after #{number:,} is {digest} (from #{begins:,}, in {seconds:.2f} s)")


def _step(row: Log) -> Step:
    body, events = expand(bytes(row.body)), expand(bytes(row.events))
    return Step(row.key, row.number, row.received_at_ns, bytes(row.header), body, events)
