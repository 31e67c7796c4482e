"""`manage.py extract`: carries a context out of the app, stage by stage, and shows how its service does."""

import argparse
import getpass
import json
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from banyan import commands
from banyan.context import Context
from banyan.facade import Side, Stage, StageError
from banyan.facade.models import Mismatch, Rule
from banyan.facade.routing import ALIAS, change, changes, routing_of
from banyan.kafka.topics import Topics
from banyan.store import Store
from extract.checks import Bounds, Check, checks
from extract.comparator.ledger import reached, rules, totals
from extract.comparator.shapes import SHAPES
from extract.fixtures import ROOT, freeze, mismatch_of, write
from extract.noise import measure
from extract.seeding import seed

_ACTIONS = ("status", "plan", "shadow", "rollback", "seed", "diff", "fixture", "noise", "allow", "log")
_FIXTURES = ROOT / "tests" / "regressions" / "found"


class Command(commands.Command):
    """Shows and changes which side leads."""

    help = """Carry a context out of the app, stage by stage, while it trades.

status    how each key stands: who leads, how far the follower is, how it differs
plan      what would have to be so for a stage, and whether it is
shadow    let a service (`python -m extract.CONTEXT`) follow; the app goes on deciding
rollback  back to the app alone
seed      give followers all that they need to begin, or begin anew
diff      rows in which leader and follower differ, newest first
fixture   write a mismatch as a regression test: state, input, and what the leader gave
noise     decide the app's own log again: how much differs when nothing has been changed
allow     let a field differ for a while; with --days 0 no longer
log       who changed the stage, when, why, and what was known then"""
    examples = """
  manage.py extract status
  manage.py extract plan risk --stage shadow
  manage.py extract shadow risk --why "first day"
  manage.py extract diff risk --most 20
  manage.py extract fixture risk 17
  manage.py extract allow risk at-ns --event risk.orders-approved.v1 --field at_ns --days 7 --why "read later"
  manage.py extract rollback risk --why "limits of set trend differ"
"""
    usage = "[-h] ACTION [CONTEXT] [NAME] [options]"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take what to do, with which context."""
        parser.add_argument("action", choices=_ACTIONS, metavar="ACTION", help=", ".join(_ACTIONS))
        parser.add_argument("context", nargs="?", default="", metavar="CONTEXT", help=", ".join(SHAPES))
        parser.add_argument("name", nargs="?", default="", metavar="NAME", help="a mismatch's number, or a rule's name")
        parser.add_argument(
            "--stage", choices=[each.value for each in Stage], default="shadow", help="plan: for which (shadow)"
        )
        parser.add_argument("--keys", default="", metavar="KEY,…", help="seed, noise: only these keys")
        parser.add_argument("--why", default="", help="why the stage is changed, or a difference allowed")
        parser.add_argument(
            "--most", type=int, default=50, metavar="N", help="diff, log: so many; noise: records of each key"
        )
        parser.add_argument("--seconds", type=float, default=30.0, help="seed: how long followers are waited for (30)")
        parser.add_argument("--event", default="*", help="allow: in which event, by its wire name (all)")
        parser.add_argument("--field", default="", help="allow: which field")
        parser.add_argument("--tolerance", type=int, default=None, help="allow: how far its values may be apart (any)")
        parser.add_argument("--days", type=float, default=7.0, help="allow: for how long (7)")
        parser.add_argument("--to", type=Path, default=_FIXTURES, metavar="FOLDER", help="fixture: where it is written")
        parser.add_argument("--json", action="store_true", help="status, diff: as JSON")

    def run(self, **options: Any) -> None:
        """Do it."""
        self.options = options
        action, context = options["action"], options["context"]
        if action == "status" and not context:
            for each in SHAPES:
                self._status(each)
            return
        if context not in SHAPES:
            raise commands.UsageError(f"{action} of which context? There are {', '.join(SHAPES)}")
        self._do(action, context)

    def _do(self, action: str, context: str) -> None:
        match action:
            case "status":
                self._status(context)
            case "plan":
                self._plan(context, Stage(self.options["stage"]))
            case "shadow":
                self._go(context, Stage.SHADOW)
            case "rollback":
                self._go(context, Stage.INPROCESS)
            case "seed":
                self._seed(context)
            case "diff":
                self._diff(context)
            case "fixture":
                self._fixture(context)
            case "noise":
                self._noise(context)
            case "allow":
                self._allow(context)
            case "log":
                self._log(context)

    # ---- stages ----

    def _plan(self, context: str, stage: Stage) -> None:
        self.say(f"{context}: {routing_of(context).stage} → {stage}")
        self._tell(checks(context, routing_of(context), stage, self._all_keys(), Bounds()))

    def _go(self, context: str, stage: Stage) -> None:
        before = routing_of(context)
        if before.stage is stage:
            raise StageError(f"{context} is in stage {stage} already")
        if not self.options["why"]:
            raise commands.UsageError("Say --why: it is kept with the change")
        found = checks(context, before, stage, self._all_keys(), Bounds())
        self._tell(found)
        if not all(each.is_so for each in found):
            raise StageError(f"{context} stays in stage {before.stage}: see what is not so above")
        after = change(
            context, before, stage, who=f"{getpass.getuser()}@{socket.gethostname()}", why=self.options["why"],
            evidence=[each.told() for each in found],
        )  # fmt: skip
        self.say(f"{context}: {before.stage} → {after.stage} (change {after.version})")
        if stage is Stage.SHADOW:
            self.whisper(f"Start its service where it is to run: python -m extract.{context}")

    def _tell(self, found: Sequence[Check]) -> None:
        for each in found:
            self.say(f"  {'yes' if each.is_so else 'NO ':<4} {each.name:<28} {each.found}")

    def _log(self, context: str) -> None:
        for each in changes(context, self.options["most"]):
            stages = f"{each.before['stage']} → {each.after['stage']}"
            self.say(f"{each.version:>4}  {each.at:%Y-%m-%d %H:%M:%S}  {stages:<24} {each.who}: {each.why}")
            for check in each.evidence:
                self.say(f"        {'yes' if check['ok'] else 'NO'}  {check['check']}: {check['found']}")

    # ---- followers ----

    def _seed(self, context: str) -> None:
        keys = self._keys()
        if not routing_of(context).has_service:
            raise StageError(f"{context} is in the app alone: `manage.py extract shadow {context}` first")
        begun = seed(settings.KAFKA, self._topics(), context, keys, self.options["seconds"])
        for key in keys:
            self.say(
                f"  {key:<12} "
                + (f"follows from record {begun[key]:,} on" if key in begun else "NO FOLLOWER has said so")
            )
        if len(begun) < len(keys):
            raise StageError(
                f"{len(keys) - len(begun)} of {len(keys)} keys are not followed: do `python -m extract.{context}` and "
                "`manage.py run` run?"
            )

    def _status(self, context: str) -> None:
        routing, keys = routing_of(context), self._all_keys()
        store = Store(context)
        try:
            numbers, leading = store.numbers(keys), store.leading(keys)
        finally:
            store.close()
        there = reached(context)
        hour = totals(context, datetime.now(UTC) - timedelta(hours=1))
        rows = [
            {
                "key": key,
                "wanted": routing.leader(key),
                "led_here": leading.get(key, False),
                "number": numbers.get(key, 0),
                "compared": there[key].number if key in there else None,
                "digest": there[key].digest if key in there else "",
            }
            for key in keys
        ]
        if self.options["json"]:
            self.say_json({"context": context, "stage": routing.stage, "keys": rows, "last_hour": hour})
            return
        self.say(f"{context}: {routing.stage}, {_told(hour)}")
        if routing.has_service:
            self.say(f"  {'key':<12} {'leads':<8} {'record':>10} {'behind':>8}  digest")
            for row in rows:
                self.say(_line(row))

    def _diff(self, context: str) -> None:
        found = Mismatch.objects.using(ALIAS).filter(context=context)
        shown = list(found[: self.options["most"]])
        if self.options["json"]:
            for each in shown:
                self.say(json.dumps({name: getattr(each, name) for name in _SHOWN}, default=str))
            return
        for each in shown:
            fields = ", ".join(f"{name} {pair[0]} → {pair[1]}" for name, pair in each.fields.items())
            about = f"account {each.account} {each.instrument}" if each.account >= 0 else ""
            size = f"  [{each.lots:g} lots, {each.money:,.2f}]" if each.lots or each.money else ""
            self.say(
                f"{each.id:>6}  {each.at:%H:%M:%S}  {each.key}/{each.number}  {each.kind}  {about}  {fields}{size}"
            )
        self.whisper(f"{commands.counted(found.count(), 'row')} in which the sides differ")

    def _fixture(self, context: str) -> None:
        if not self.options["name"].isdecimal():
            raise commands.UsageError("Give the number of a mismatch: `manage.py extract diff` lists them")
        mismatch = mismatch_of(int(self.options["name"]))
        path = write(freeze(self._context(context), mismatch), self.options["to"])
        self.say(f"{path}: tried by tests/regressions")

    def _noise(self, context: str) -> None:
        noise = measure(self._context(context), self._keys(), self.options["most"], rules(context))
        self.say(f"{context}: {noise.same + len(noise.differing):,} records decided again, {noise.rate:.2%} differ")
        for key, number in noise.differing[:20]:
            self.say(f"  {key}/{number}")

    def _allow(self, context: str) -> None:
        name, expires = self.options["name"], datetime.now(UTC) + timedelta(days=self.options["days"])
        if not (name and self.options["field"] and self.options["why"]):
            raise commands.UsageError("allow needs a NAME, --field and --why")
        Rule.objects.using(ALIAS).update_or_create(
            name=name,
            defaults={
                "context": context, "event": self.options["event"], "field": self.options["field"],
                "tolerance": self.options["tolerance"], "owner": getpass.getuser(), "why": self.options["why"],
                "expires_at": expires,
            },
        )  # fmt: skip
        self.say(f"{name}: until {expires:%Y-%m-%d %H:%M} UTC")

    # ---- what there is ----

    def _topics(self) -> Topics:
        topics: Topics = import_string(settings.TOPIC_NAMES)
        return topics

    def _all_keys(self) -> list[str]:
        return list(self._topics().shards)

    def _keys(self) -> list[str]:
        wanted = [key for key in self.options["keys"].split(",") if key]
        unknown = sorted(set(wanted) - set(self._all_keys()))
        if unknown:
            raise StageError(f"No key is called {unknown[0]!r}: there are {', '.join(self._all_keys())}")
        return wanted or self._all_keys()

    def _context(self, name: str) -> Context[Any]:
        context: Context[Any] = import_string(settings.HOSTED_CONTEXTS)[name]
        return context


_SHOWN = (
    "id", "at", "key", "number", "cause", "input", "kind", "event", "account", "instrument", "fields", "lots", "money",
)  # fmt: skip


def _told(counts: dict[str, int]) -> str:
    """Return what was compared in the last hour in a line."""
    records = counts["same"] + counts["differing"]
    if not records:
        return "nothing compared in the last hour"
    rows = ", ".join(
        f"{counts[name]:,} {name}" for name in ("matched", "mismatched", "missing", "extra", "ignored") if counts[name]
    )
    return (
        f"last hour: {records:,} records, {counts['differing']:,} differ ({counts['differing'] / records:.2%}), "
        f"{counts['late']:,} late, decided in {counts['leader_ns'] / records / 1e6:.1f} ms here and "
        f"{counts['follower_ns'] / records / 1e6:.1f} ms there{'; rows: ' + rows if rows else ''}"
    )


def _line(row: dict[str, Any]) -> str:
    behind = "not seen" if row["compared"] is None else f"{max(0, row['number'] - row['compared']):,}"
    leads = Side.APP if row["led_here"] else Side.SERVICE
    return f"  {row['key']:<12} {leads:<8} {row['number']:>10,} {behind:>8}  {row['digest']}"
