"""`manage.py sets`: strategy sets, defined, started, paused and listed."""

import argparse
from collections.abc import Sequence
from typing import Any

from apps.signals.errors import SetError
from apps.signals.interface import NewMember
from apps.signals.models import SetReport, StrategySet
from apps.signals.registry import get_strategy
from apps.signals.reports import set_reports, state_of
from apps.signals.sets import define_set, get_set, pause_set, start_set
from banyan import commands
from trading.intervals import format_interval


def _set_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("set", metavar="SET", help="the set's name")


def _json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    _set_argument(parser)
    _json_argument(parser)


def _define_arguments(parser: argparse.ArgumentParser) -> None:
    _set_argument(parser)
    parser.add_argument("--strategy", help="a shipped one, or path/to/file.py[:name]")
    parser.add_argument(
        "--instrument", action="append", default=[], metavar="ID", help="what it trades, once for each channel"
    )
    parser.add_argument(
        "--conversion", action="append", default=[], metavar="ID",
        help="a pair of currencies whose closes convert for accounts in another currency, such as OANDA:EURUSD",
    )  # fmt: skip
    parser.add_argument("--interval", default="1h", help="interval of its bars (1h)")
    parser.add_argument(
        "--param", "-p", action="append", default=[], metavar="NAME=VALUE", help="a parameter, once for each"
    )
    parser.add_argument(
        "--share", type=float, default=1.0, metavar="PART", help="its part of the set's weight, above 0 to 1 (1)"
    )
    parser.add_argument("--add", action="store_true", help="keep the strategies that are in the set already")
    parser.add_argument("--cold", action="store_true", help="do not warm up strategies with the bars before")


class Command(commands.Command):
    """Says which strategies trade live, on what, and whether they do."""

    help = """Define, start, pause and list strategy sets. A set gives the same targets to all accounts that follow it.

define puts one strategy into a set, on one or several instruments; --add keeps what is in it and adds another. A set
that was started has a process of its own where `manage.py run` runs. Where that fails, it is started again from where
it was; after three failures of its strategies in ten minutes it is parked, and list and show say why. start then begins
anew: define it again first if a strategy had to be mended."""
    examples = """
  manage.py sets define trend --strategy ema_cross --instrument OANDA:EURUSD --interval 1h -p fast=10 -p slow=50
  manage.py sets define trend --add --strategy rsi_reversion --instrument NYSEARCA:SPY --interval 1d --share 0.3
  manage.py sets start trend
  manage.py sets pause trend
  manage.py sets list
  manage.py sets show trend
"""

    actions = (
        commands.Action(
            "define", "put one strategy into a set, on one or several instruments; --add keeps what is in it",
            _define_arguments,
            """
  manage.py sets define trend --strategy ema_cross --instrument OANDA:EURUSD --interval 1h -p fast=10 -p slow=50
  manage.py sets define trend --add --strategy rsi_reversion --instrument NYSEARCA:SPY --interval 1d --share 0.3""",
        ),
        commands.Action("start", "let a set give targets", _set_argument, "  manage.py sets start trend"),
        commands.Action(
            "pause", "let a set give no targets, but follow its bars", _set_argument, "  manage.py sets pause trend"
        ),
        commands.Action("list", "list all sets, and how they are", _json_argument, "  manage.py sets list --json"),
        commands.Action("show", "show a set in full", _show_arguments, "  manage.py sets show trend"),
    )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it."""
        match options["action"]:
            case "list":
                self._show(list(set_reports().values()), as_json=options["json"])
            case "define":
                self._define(options["set"], options)
            case "show":
                get_set(options["set"])
                self._show([set_reports()[options["set"]]], as_json=options["json"], in_full=True)
            case "start":
                start_set(options["set"])
                self.say(f"{options['set']}: starts")
            case "pause":
                pause_set(options["set"])
                self.say(f"{options['set']}: pauses")

    def _define(self, name: str, options: dict[str, Any]) -> None:
        if not options["strategy"] or not options["instrument"]:
            raise SetError(f"set {name}: give --strategy and at least one --instrument")
        strategy = get_strategy(options["strategy"])
        parameters = {}
        for text in options["param"]:
            parameter, equals, value = text.partition("=")
            if not equals:
                raise SetError(f"--param {text!r} is not NAME=VALUE")
            parameters[parameter] = strategy.parse(parameter, value)
        member = NewMember(
            options["strategy"],
            [(instrument, options["interval"]) for instrument in options["instrument"]],
            parameters,
            options["share"],
        )
        members = [*(_present(name) if options["add"] else []), member]
        conversions = [(each, options["interval"]) for each in options["conversion"]]
        if options["add"]:
            conversions = list(dict.fromkeys([*_present_conversions(name), *conversions]))
        sent = define_set(name, members, conversions=conversions, warms_up=not options["cold"])
        self.say(f"{name}: {', '.join(each.strategy for each in sent.members)}; `manage.py sets start {name}`")

    def _show(
        self, found: Sequence[tuple[StrategySet, SetReport | None]], *, as_json: bool, in_full: bool = False
    ) -> None:
        if as_json:
            self.say_json([_as_json(*each) for each in found])
            return
        if not found:
            self.say("There is no set yet: `manage.py sets define --help`.")
        for each, report in found:
            self.say(f"{each.id}: {state_of(each, report)}, from {', '.join(each.feeds)}")
            for member in each.definition["members"]:
                self.say(f"  {_member(member)}")
            for channel in each.definition.get("conversions", ()):
                self.say(f"  converts by {channel['instrument']} {format_interval(channel['interval_ns'])}")
            if each.parked_because:
                self.say(f"  parked: {each.parked_because}")
            if report is not None and in_full:
                self.say(
                    f"  process {report.pid or 'none'}, {commands.counted(report.starts, 'start')}, "
                    f"{commands.counted(report.failures, 'failure')} that count, {report.megabytes:.0f} MB of its own"
                )
                if report.problem:
                    self.say(f"  ended last because: {report.problem}")


def _member(member: dict[str, Any]) -> str:
    channels = [f"{each['instrument']} {format_interval(each['interval_ns'])}" for each in member["channels"]]
    settings = " ".join(f"{name}={value}" for name, value in member["parameters"].items())
    return f"{member['strategy']} {settings} on {', '.join(channels)}, share {member['share_e9'] / 1e9:g}"


def _as_json(found: StrategySet, report: SetReport | None) -> dict[str, Any]:
    told: dict[str, Any] = {"state": state_of(found, report), "parked_because": found.parked_because}
    if report is not None:
        told |= {name: getattr(report, name) for name in ("pid", "starts", "failures", "problem", "megabytes")}
    return {**found.definition, **told}


def _present_conversions(name: str) -> list[tuple[str, str]]:
    found = StrategySet.objects.using("signals").filter(id=name).first()
    channels = found.definition.get("conversions", ()) if found else ()
    return [(channel["instrument"], format_interval(channel["interval_ns"])) for channel in channels]


def _present(name: str) -> list[NewMember]:
    found = StrategySet.objects.using("signals").filter(id=name).first()
    return [
        NewMember(
            member["strategy"],
            [(channel["instrument"], format_interval(channel["interval_ns"])) for channel in member["channels"]],
            member["parameters"],
            member["share_e9"] / 1e9,
        )
        for member in (found.definition["members"] if found else ())
    ]
