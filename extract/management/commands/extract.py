"""`manage.py extract`: carries a context out of the app, stage by stage, and shows how its service does."""

import argparse
import getpass
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from django.conf import settings
from django.utils.module_loading import import_string

from banyan import commands
from banyan.context import Context
from banyan.facade import Routing, Side, Stage, StageError
from banyan.facade.models import Mismatch, Rule
from banyan.facade.routing import ALIAS, changes, routing_of
from banyan.facade.stages import named_keys, share_of
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.store import Store
from extract.agreement import DIFFERENCES, LEADERS, violations
from extract.board.standing import BACK
from extract.checks import Bounds, Check, checks, known
from extract.comparator.durations import percentile_ms
from extract.comparator.ledger import (
    Sums,
    Took,
    added,
    by_key,
    noise_of,
    of_cohorts,
    reached,
    rules,
    took,
    totals,
    watch_anew,
)
from extract.comparator.shapes import SHAPES
from extract.conform import Conformance
from extract.fixtures import freeze, mismatch_of, write
from extract.goals import goal_of, is_less
from extract.keys import begin_following, keys_of
from extract.moving import Mover
from extract.noise import measure_and_keep
from extract.own_tables import bring_along
from extract.readiness import beyond, counts, scan, tighten
from extract.seeding import seed
from extract.sides import heads, led_by
from extract.sources import ROOT, code_hash

_ACTIONS = (
    "status", "plan", "shadow", "canary", "live", "extract", "rollback", "seed", "diff", "fixture", "noise", "allow",
    "log", "readiness", "conform", "verify",
)  # fmt: skip
_FIXTURES = ROOT / "tests" / "regressions" / "found"


class Command(commands.Command):
    """Shows and changes which side leads."""

    help = """Carry a context out of the app, stage by stage, while it trades.

status    how each key stands: who leads, how far the follower is, how it differs
plan      what would have to be so for a stage, and whether it is
shadow    let a service (`python -m extract.CONTEXT`) follow; the app goes on deciding
canary    let the service lead some keys: --percent of the shards, or --keys
live      let it lead all keys, the app following
extract   allow the app to be run without the context (BANYAN_EXTRACTED); while it still has it, it follows
rollback  one stage back, from wherever it is; from canary and live to shadow
seed      give followers all that they need to begin, or begin anew
diff      rows in which leader and follower differ, newest first
fixture   write a mismatch as a regression test: state, input, and what the leader gave
noise     decide the app's own log again: how much differs when nothing has been changed
allow     let a field differ for a while; with --days 0 no longer
readiness what stands between a context and a service of its own, with file and line; with --accept it may not get worse
conform   give any program that says it is CONTEXT's service the log that is here, and compare what it tells
verify    what must hold between both sides: one leader for each key and epoch, one log, no difference unexplained
log       who changed the stage, when, why, and what was known then"""
    examples = """
  manage.py extract status
  manage.py extract plan risk --stage shadow
  manage.py extract shadow risk --why "first day"
  manage.py extract diff risk --most 20
  manage.py extract fixture risk 17
  manage.py extract allow risk at-ns --event risk.orders-approved.v1 --field at_ns --days 7 --why "read later"
  manage.py extract canary risk --percent 10 --why "a day without a difference"
  manage.py extract canary risk --keys canary,00 --why "the canary shard first"
  manage.py extract canary feeds/oanda --why "one feed first"
  manage.py extract live risk --why "a week without a difference"
  manage.py extract rollback risk --why "limits of set trend differ"
  manage.py extract readiness execution
  manage.py extract conform risk --bootstrap 127.0.0.1:9092 --seconds 60
"""
    usage = "[-h] ACTION [CONTEXT[/KEY]] [NAME] [options]"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take what to do, with which context."""
        parser.add_argument("action", choices=_ACTIONS, metavar="ACTION", help=", ".join(_ACTIONS))
        parser.add_argument("context", nargs="?", default="", metavar="CONTEXT[/KEY]", help=", ".join(SHAPES))
        parser.add_argument("name", nargs="?", default="", metavar="NAME", help="a mismatch's number, or a rule's name")
        parser.add_argument(
            "--stage", choices=[each.value for each in Stage], default="shadow", help="plan: for which (shadow)"
        )
        parser.add_argument("--keys", default="", metavar="KEY,…", help="seed, noise, canary: only these keys")
        parser.add_argument("--percent", type=int, default=0, metavar="N", help="canary: this part of the keys")
        parser.add_argument("--minutes", type=int, default=10, help="how long the follower must have been watched (10)")
        parser.add_argument("--records", type=int, default=1_000, help="how many records it must have decided (1000)")
        parser.add_argument("--mismatch-rate", type=float, default=0.0, help="which part of them may differ (0)")
        parser.add_argument("--why", default="", help="why the stage is changed, or a difference allowed")
        parser.add_argument(
            "--most", type=int, default=50, metavar="N", help="diff, log: so many; noise, conform: records of each key"
        )
        parser.add_argument("--seconds", type=float, default=30.0, help="seed, conform: how long it is waited for (30)")
        parser.add_argument("--bootstrap", default="", metavar="HOST:PORT", help="conform: its brokers (ours)")
        parser.add_argument("--environment", default="", metavar="WORD", help="conform: how topics begin (a new one)")
        parser.add_argument("--event", default="*", help="allow: in which event, by its wire name (all)")
        parser.add_argument("--field", default="", help="allow: which field")
        parser.add_argument("--tolerance", type=int, default=None, help="allow: how far its values may be apart (any)")
        parser.add_argument("--days", type=float, default=7.0, help="allow: for how long (7)")
        parser.add_argument("--to", type=Path, default=_FIXTURES, metavar="FOLDER", help="fixture: where it is written")
        parser.add_argument(
            "--accept", action="store_true", help="readiness: keep what there is as what may be at most"
        )
        parser.add_argument("--json", action="store_true", help="status, diff: as JSON")

    def run(self, **options: Any) -> None:
        """Do it."""
        self.options = options
        try:
            self._do(options["action"])
        except KafkaException as problem:
            raise StageError(f"Kafka does not answer ({problem.args[0].str()}): is it there?") from None

    def _do(self, action: str) -> None:
        options = self.options
        context, _, self._key = options["context"].partition("/")
        if action == "status" and not context:
            for each in SHAPES:
                self._status(each)
            return
        if action == "readiness" and context in import_string(settings.HOSTED_CONTEXTS):
            self._readiness(context)
            return
        if context not in SHAPES:
            raise commands.UsageError(f"{action} of which context? There are {', '.join(SHAPES)}")
        if action in _STAGES:
            self._go(context, _STAGES[action])
            return
        {
            "status": self._status, "plan": self._plan, "rollback": self._back, "seed": self._seed, "diff": self._diff,
            "fixture": self._fixture, "noise": self._noise, "allow": self._allow, "log": self._log,
            "readiness": self._readiness, "conform": self._conform, "verify": self._verify,
        }[action](context)  # fmt: skip

    # ---- stages ----

    def _back(self, context: str) -> None:
        self._go(context, BACK[routing_of(context).stage])

    def _plan(self, context: str) -> None:
        stage = Stage(self.options["stage"])
        self.say(f"{context}: {routing_of(context).stage} → {stage}")
        self._know_noise(context)
        self._tell(checks(context, routing_of(context), stage, self._keys(context), self._bounds()))

    def _go(self, context: str, stage: Stage) -> None:
        before, keys = routing_of(context), self._all_keys(context)
        if self._key:
            named_keys(keys, [self._key])
            stage, service_keys = goal_of(before, self.options["action"], self._key, keys)
        else:
            service_keys = self._wanted_of_service(context) if stage is Stage.CANARY else frozenset()
        if context in settings.EXTRACTED:
            raise StageError(
                f"This app is run without {context}: take it out of BANYAN_EXTRACTED, start the app, and try again"
            )
        if (
            before.stage is stage
            and before.service_keys == service_keys
            and self._is_led_as_wanted(context, before, keys)
        ):
            raise StageError(f"{context} is in stage {stage} already")
        if not self.options["why"]:
            raise commands.UsageError("Say --why: it is kept with the change")
        found = []
        if not is_less(before, stage, service_keys):
            if self.options["action"] in _ONWARDS:
                self._know_noise(context)
            found = checks(context, before, stage, self._keys(context), self._bounds())
        self._tell(found)
        if not all(each.is_so for each in found):
            raise StageError(f"{context} stays in stage {before.stage}: see what is not so above")
        if before.stage is Stage.EXTRACTED:
            begin_following(context, Side.APP, keys)
        mover = Mover(context, settings.KAFKA, self._topics(), keys, self.say)
        evidence = [each.told() for each in found or known(context, before, keys)]
        after = mover.move(before, stage, service_keys, _whoami(), self.options["why"], evidence)
        self.say(f"{context}: {before.stage} → {after.stage} (change {after.version})")
        if before.stage is Stage.INPROCESS:
            self.whisper(f"Start its service where it is to run: python -m extract.{context}")
        if stage is Stage.EXTRACTED:
            self.whisper(f"The app may be run without {context} from now on: BANYAN_EXTRACTED={context}")

    def _know_noise(self, context: str) -> None:
        """Measure the noise floor where a service follows and it is not known of the code that is here."""
        if routing_of(context).has_service and noise_of(context, code_hash(context)) is None:
            measure_and_keep(self._context(context), self._keys(context), self.options["most"])

    def _wanted_of_service(self, context: str) -> frozenset[str]:
        if bool(self.options["percent"]) == bool(self.options["keys"]):
            raise commands.UsageError("canary needs either --percent or --keys")
        if self.options["percent"]:
            return share_of(self._all_keys(context), self.options["percent"])
        return frozenset(self._keys(context))

    def _is_led_as_wanted(self, context: str, routing: Routing, keys: Sequence[str]) -> bool:
        """Tell whether each key is led by the side that is to: one that is new begins in the app."""
        return all(side in (None, routing.leader(key)) for key, side in led_by(context, keys).items())

    def _bounds(self) -> Bounds:
        return Bounds(self.options["minutes"], self.options["records"], self.options["mismatch_rate"])

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
        keys = self._keys(context)
        if not routing_of(context).has_service:
            raise StageError(f"{context} is in the app alone: `manage.py extract shadow {context}` first")
        watch_anew(context)
        bring_along(context, Side.SERVICE, anew=True)
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
        routing, keys = routing_of(context), self._keys(context)
        ends = heads(context, keys)
        there = {} if context in settings.EXTRACTED else reached(context)
        since = datetime.now(UTC) - timedelta(hours=1)
        hour, times = by_key(context, since), took(context, since)
        rows = [
            {
                "key": key,
                "wanted": routing.leader(key),
                "leads": ends[key].side,
                "number": ends[key].number,
                "compared": there[key].number if key in there else None,
                "digest": there[key].digest if key in there else "",
            }
            for key in keys
        ]
        if self.options["json"]:
            self.say_json({"context": context, "stage": routing.stage, "keys": rows, "last_hour": added(hour.values())})
            return
        self.say(f"{context}: {routing.stage}, last hour: {_told(added(hour.values()), Took.added(times.values()))}")
        cohorts = of_cohorts(routing, hour)
        for side, sums in cohorts.items() if len(cohorts) > 1 else ():
            those = [each for key, each in times.items() if routing.leader(key) is side]
            self.say(f"  of keys that the {side} leads: {_told(sums, Took.added(those))}")
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
            self.say(_row(each))
        self.whisper(f"{commands.counted(found.count(), 'row')} in which the sides differ")

    def _fixture(self, context: str) -> None:
        if not self.options["name"].isdecimal():
            raise commands.UsageError("Give the number of a mismatch: `manage.py extract diff` lists them")
        mismatch = mismatch_of(int(self.options["name"]))
        path = write(freeze(self._context(context), mismatch), self.options["to"])
        self.say(f"{path}: tried by tests/regressions")

    def _noise(self, context: str) -> None:
        noise = measure_and_keep(self._context(context), self._keys(context), self.options["most"])
        self.say(f"{context}: {noise.records:,} records decided again, {noise.rate:.2%} differ")
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

    def _readiness(self, context: str) -> None:
        found = scan(context)
        now = counts(found)
        for each in found:
            self.say(f"  {each.check:<16} {each.path}:{each.line}  {each.detail}")
        self.say(f"{context}: " + ", ".join(f"{name} {count}" for name, count in now.items()))
        if context in SHAPES:
            self.say(self._recorded(context))
        if self.options["accept"]:
            tighten(context, now)
        worse = beyond(context, now)
        if worse:
            raise StageError(f"{context} has become less ready: {'; '.join(worse)}")

    def _conform(self, context: str) -> None:
        cluster: Cluster = settings.KAFKA
        if self.options["bootstrap"]:
            cluster = replace(cluster, bootstrap=self.options["bootstrap"], server=None, copies=1)
        word = self.options["environment"] or f"conform{os.getpid()}"
        trial = Conformance(self._context(context), cluster, replace(self._topics(), environment=word))
        if not trial.load(self._keys(context), self.options["most"]):
            raise StageError(f"{context} has no log here that a service could be given")
        trial.make_topics()
        try:
            self.say(f"start it with BANYAN_ENVIRONMENT={word} KAFKA_BOOTSTRAP={cluster.address()}")
            self.stdout.flush()
            found = trial.run(self.options["seconds"], rules(context), self.say)
        finally:
            trial.delete_topics()
        for each in found.found[:20]:
            self.say(_row(each))
        same, differing = found.sums.get("same", 0), found.sums.get("differing", 0)
        self.say(f"{same:,} records the same, {differing:,} differ, {found.unreadable} unreadable")
        if not found.conforms:
            missing = f"; no answer to all of {', '.join(found.missing)}" if found.missing else ""
            raise StageError(f"it does not conform{missing}")
        self.say("it conforms")

    def _verify(self, context: str) -> None:
        found = violations(context, self._all_keys(context))
        for name in (DIFFERENCES, LEADERS):
            self.say(f"{'BROKEN' if any(each.startswith(name) for each in found) else 'held':<7} {name}")
        for each in found[: self.options["most"]]:
            self.say(each)
        if found:
            raise StageError(
                f"{commands.counted(len(found), 'violation')} of what must hold between the sides of {context}"
            )

    def _recorded(self, context: str) -> str:
        store = Store(context)
        try:
            numbers = store.numbers(self._all_keys(context))
        finally:
            store.close()
        records, there = sum(numbers.values()), reached(context)
        kept = totals(context, datetime.now(UTC) - timedelta(days=30))
        compared = min(records, kept["same"] + kept["differing"])
        share = f"{compared / records:.0%}" if records else "nothing"
        return f"compared so far: {share} of {records:,} records, {len(there)} of {len(numbers)} keys"

    # ---- what there is ----

    def _topics(self) -> Topics:
        topics: Topics = import_string(settings.TOPIC_NAMES)
        return topics

    def _all_keys(self, context: str) -> list[str]:
        return keys_of(context, self._topics())

    def _keys(self, context: str) -> list[str]:
        there = self._all_keys(context)
        wanted = named_keys(there, [key for key in (self._key, *self.options["keys"].split(",")) if key])
        return sorted(wanted) or there

    def _context(self, name: str) -> Context[Any]:
        context: Context[Any] = import_string(settings.HOSTED_CONTEXTS)[name]
        return context


_ONWARDS = ("canary", "live", "extract")
_STAGES = {"shadow": Stage.SHADOW, "canary": Stage.CANARY, "live": Stage.LIVE, "extract": Stage.EXTRACTED}
_SHOWN = (
    "id", "at", "key", "number", "cause", "input", "kind", "event", "account", "instrument", "fields", "lots", "money",
)  # fmt: skip


def _whoami() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _row(each: Mismatch) -> str:
    """Return a row that differs in a line."""
    fields = ", ".join(f"{name} {pair[0]} → {pair[1]}" for name, pair in each.fields.items())
    about = f"account {each.account} {each.instrument}" if each.account >= 0 else ""
    size = f"  [{each.lots:g} lots, {each.money:,.2f}]" if each.lots or each.money else ""
    number = each.pk or ""  # of a trial there is none
    return f"{number:>6}  {each.at:%H:%M:%S}  {each.key}/{each.number}  {each.kind}  {about}  {fields}{size}"


def _told(counts: Sums, times: Took) -> str:
    """Return what was compared in a line."""
    records = counts["same"] + counts["differing"]
    if not records:
        return "nothing compared"
    rows = ", ".join(
        f"{counts[name]:,} {name}" for name in ("matched", "mismatched", "missing", "extra", "ignored") if counts[name]
    )
    return (
        f"{records:,} records, {counts['differing']:,} differ ({counts['differing'] / records:.2%}), "
        f"{counts['late']:,} late, committed in {_p50_p99(times.leader)} ms, decided by who follows in "
        f"{_p50_p99(times.follower)} ms (p50/p99){'; rows: ' + rows if rows else ''}"
    )


def _p50_p99(counts: Sequence[int]) -> str:
    return "/".join("–" if ms is None else f"{ms:.3g}" for ms in (percentile_ms(counts, p) for p in (0.5, 0.99)))


def _line(row: dict[str, Any]) -> str:
    behind = "–" if row["compared"] is None else f"{max(0, row['number'] - row['compared']):,}"
    leads = row["leads"] or "NOBODY"
    if leads != row["wanted"]:
        leads = f"{leads}, wanted: {row['wanted']}"
    return f"  {row['key']:<12} {leads:<8} {row['number']:>10,} {behind:>8}  {row['digest']}"
