"""`manage.py list_strategies`."""

import argparse
from typing import Any

from apps.signals.declaration import Strategy
from apps.signals.parameters import Parameter
from apps.signals.registry import get_strategy, list_strategies
from banyan import commands


class Command(commands.Command):
    """Shows which strategies there are and what they take."""

    help = """List the strategies with their parameters, or tell all of one.

Every parameter is set with --param NAME=VALUE in backtest, sweep, optimize and walkforward; its sweep values are what a
sweep takes when no --grid is given for it."""
    examples = """\
  manage.py list_strategies
  manage.py list_strategies sma_cross
  manage.py list_strategies path/to/my_strategy.py --json
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("strategy", nargs="?", metavar="STRATEGY", help="one strategy, or path/to/file.py[:name]")
        parser.add_argument("--json", action="store_true", help="write JSON")

    def run(self, **options: Any) -> None:
        """List, or tell all of one."""
        names = [options["strategy"]] if options["strategy"] else list_strategies()
        strategies = [get_strategy(name) for name in names]
        if options["json"]:
            self.say_json([described(each) for each in strategies])
        elif options["strategy"]:
            self.say(in_detail(strategies[0]))
        else:
            for each in strategies:
                self.say(self.style.MIGRATE_HEADING(each.name) + "  " + first_line(each))
                self.say("    " + "  ".join(_short(parameter) for parameter in each.parameters) + "\n")
            self.say("All of one: manage.py list_strategies NAME. A new one: manage.py new_strategy NAME")


def first_line(strategy: Strategy) -> str:
    """Return the first line of what the strategy says of itself."""
    return strategy.doc.splitlines()[0] if strategy.doc else ""


def in_detail(strategy: Strategy) -> str:
    """Return the page on one strategy."""
    params = strategy.bind()
    settles = "never" if strategy.settles is None else f"{strategy.settles(params)} bars"
    channels = "any number" if strategy.channels is None else str(strategy.channels)
    doc = "\n".join(line.strip() for line in strategy.doc.splitlines())
    head = [
        strategy.name,
        "",
        doc,
        "",
        f"channels {channels}   sizing {strategy.sizing}   warm-up {strategy.warmup(params)} bars   settles {settles}",
        f"source   {strategy.source}",
        "",
    ]
    rows = [("parameter", "default", "range", "sweep", "")]
    rows += [(each.name, f"{each.default}", each.range_text(), _sweep(each), each.doc) for each in strategy.parameters]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    table = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return "\n".join([*head, *(line.rstrip() for line in table)])


def described(strategy: Strategy) -> dict[str, Any]:
    """Return the strategy as JSON has it; warm-up and settling are those of the defaults."""
    params = strategy.bind()
    return {
        "name": strategy.name,
        "doc": strategy.doc,
        "kind": strategy.kind,
        "channels": strategy.channels,
        "sizing": strategy.sizing,
        "warmup_bars": strategy.warmup(params),
        "settles_bars": None if strategy.settles is None else strategy.settles(params),
        "source": str(strategy.source),
        "code_hash": strategy.code_hash,
        "parameters": [
            {
                "name": each.name,
                "type": type(each).__name__.lower(),
                "default": each.default,
                "low": each.low,
                "high": each.high,
                "choices": each.choices,
                "sweep": each.sweep,
                "doc": each.doc,
            }
            for each in strategy.parameters
        ],
    }


def _short(parameter: Parameter) -> str:
    return f"{parameter.name}={parameter.default} ({parameter.range_text()})"


def _sweep(parameter: Parameter) -> str:
    values = [f"{value:g}" if isinstance(value, float) else str(value) for value in parameter.sweep]
    return " ".join(values) if len(values) <= 5 else f"{values[0]} {values[1]} … {values[-1]}"
