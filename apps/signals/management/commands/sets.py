"""`manage.py sets`: strategy sets, defined, started, paused and listed."""

import argparse
from typing import Any

from apps.signals.errors import SetError
from apps.signals.models import StrategySet
from apps.signals.registry import get_strategy
from apps.signals.sets import NewMember, define_set, run_set
from banyan import commands
from trading.intervals import format_interval


class Command(commands.Command):
    """Says which strategies trade live, on what, and whether they do."""

    help = """Define, start, pause and list strategy sets. A set gives the same targets to all accounts that follow it.

define puts one strategy into a set, on one or several instruments; --add keeps what is in it and adds another."""
    examples = """
  manage.py sets define trend --strategy ema_cross --instrument OANDA:EURUSD --interval 1h -p fast=10 -p slow=50
  manage.py sets define trend --add --strategy rsi_reversion --instrument NYSEARCA:SPY --interval 1d --share 0.3
  manage.py sets start trend
  manage.py sets pause trend
  manage.py sets list
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("action", choices=("define", "start", "pause", "list"))
        parser.add_argument("set", nargs="?", metavar="SET", help="the set's name")
        parser.add_argument("--strategy", help="a shipped one, or path/to/file.py[:name]")
        parser.add_argument(
            "--instrument", action="append", default=[], metavar="ID", help="what it trades, once for each channel"
        )
        parser.add_argument("--interval", default="1h", help="interval of its bars (1h)")
        parser.add_argument(
            "--param", "-p", action="append", default=[], metavar="NAME=VALUE", help="a parameter, once for each"
        )
        parser.add_argument("--share", type=float, default=1.0, help="its part of the set, above 0 to 1 (1)")
        parser.add_argument("--add", action="store_true", help="keep the strategies that are in the set already")
        parser.add_argument("--json", action="store_true", help="list as JSON")

    def run(self, **options: Any) -> None:
        """Do it."""
        if options["action"] == "list":
            self._list(as_json=options["json"])
            return
        name = options["set"]
        if not name:
            raise SetError(f"{options['action']} which set? Give its name")
        if options["action"] == "define":
            self._define(name, options)
        else:
            run_set(name, is_running=options["action"] == "start")
            self.say(f"{name}: {'starts' if options['action'] == 'start' else 'pauses'}")

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
        sent = define_set(name, [*(_present(name) if options["add"] else []), member])
        self.say(f"{name}: {', '.join(each.strategy for each in sent.members)}; `manage.py sets start {name}`")

    def _list(self, *, as_json: bool) -> None:
        found = list(StrategySet.objects.using("signals"))
        if as_json:
            self.say_json([each.definition for each in found])
            return
        if not found:
            self.say("There is no set yet: `manage.py sets define --help`.")
        for each in found:
            self.say(f"{each.id}, from {', '.join(each.feeds)}")
            for member in each.definition["members"]:
                channels = [
                    f"{channel['instrument']} {format_interval(channel['interval_ns'])}"
                    for channel in member["channels"]
                ]
                settings = " ".join(f"{name}={value}" for name, value in member["parameters"].items())
                share = member["share_e9"] / 1e9
                self.say(f"  {member['strategy']} {settings} on {', '.join(channels)}, share {share:g}")


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
