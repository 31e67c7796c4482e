"""`manage.py parity`: the live pipeline and the backtest side by side."""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from apps.backtest import cli_arguments as arguments
from apps.backtest.parity import Case, Comparison, ParityError, backtest, checked, compare, told
from apps.backtest.request import Loaded
from banyan import commands


class Command(commands.Command):
    """Trades a strategy both ways and tells where they part."""

    help = """Trade strategies through the live pipeline and in a backtest, on the same bars, and compare.

The pipeline is the one of `manage.py run`: feeds, strategy set, accounts, risk, edge and a paper broker in a process of
its own, on databases that are made for it and dropped at the end. It gets the bars in lock step, at their own times:
those of one close when everything has been done about the close before. The backtest fixes its lots at the decision, as
it must be live, and has the same costs; no margin is ever missing on either side. Compared are all fills (time,
instrument, side, quantity, price to the tick, fee), the cash to the last unit, and the equity with what is still held
marked at the last close. Exit code 1 where there is a difference."""
    usage = "STRATEGY... (--instrument ID ... --interval SPAN | --csv FILE ...) [options]"
    examples = """
  manage.py parity sma_cross --instrument OANDA:EURUSD --interval 1h --from 2016-01-01 --to 2016-03-01 -p fast=5
  manage.py parity sma_cross macd_trend rsi_reversion --csv OANDA:EURUSD=eurusd.csv --fee-bps 0.5
  manage.py parity momentum_rank --instrument NYSEARCA:SPY NASDAQ:QQQ --interval 1d --to 2003 -p top=1 --json"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument(
            "strategy", nargs="+", metavar="STRATEGY", help="shipped ones or path/to/file.py[:name], an account each"
        )
        parser.add_argument(
            "--param", "-p", action="append", default=[], metavar="NAME=VALUE",
            help="a parameter of every strategy given; the others keep their defaults",
        )  # fmt: skip
        arguments.add_data_arguments(parser)
        group = parser.add_argument_group("accounts, the same on both sides")
        group.add_argument("--cash", type=float, help="cash at the start (100,000)")
        group.add_argument("--sizing", help="what a weight means, as for `backtest`; the strategy's own when not given")
        group.add_argument("--fee-bps", type=float, help="fee, in basis points of each fill's notional")
        group.add_argument("--hedging", action="store_true", help="hedging accounts: tickets instead of one position")
        group.add_argument("--currency", help="currency of the account (that of the first instrument)")
        group.add_argument(
            "--via", default="", help="currency to convert over; give a --conversion for each of its pairs"
        )
        parser.add_argument("--json", action="store_true", help="print the comparison as JSON and nothing else")

    def run(self, **given: Any) -> None:
        """Trade both ways. Exit code 1 where they differ, 2 for what cannot be compared."""
        cases, loaded = _asked(given)
        with tempfile.TemporaryDirectory(prefix="banyan-parity-") as folder:
            bars, traded = import_string(settings.LOCKSTEP)(cases, loaded, Path(folder))
        found = [compare(case, live, backtest(case, bars, loaded)) for case, live in zip(cases, traded, strict=True)]
        if given["json"]:
            self.say_json([_as_json(each) for each in found])
        else:
            self.say("\n".join(_table(found, max(len(each) for each in bars.values()))))
        if not all(each.is_same for each in found):
            raise SystemExit(commands.FAILED)


def _asked(given: dict[str, Any]) -> tuple[list[Case], Loaded]:
    data = arguments.data_of({**given, "adjust": given["adjust"] or ("" if given["csv"] else "none")})
    if data.conversion and not data.is_stored:
        raise ParityError("--conversion: bars of files are not converted here; import them, and give --instrument")
    options = {name: given[name] for name in ("cash", "sizing", "fee_bps", "currency") if given[name] is not None}
    if given["hedging"]:
        options["accounting"] = "hedging"
    cases = []
    for name in given["strategy"]:
        request = arguments.request_of({**given, "strategy": name})
        cases.append(
            Case(
                strategy=request.strategy, channels=data.instruments, params=request.params, options=options,
                via=given["via"],
            )
        )  # fmt: skip
    beside = tuple(name for name in data.conversion.values() if name not in data.instruments)
    loaded = replace(data, instruments=(*data.instruments, *beside), conversion={}).load()
    return cases, replace(loaded, instruments=checked(loaded, cases))


def _table(found: list[Comparison], bars: int) -> list[str]:
    width = max(len("strategy"), *(len(each.case.strategy) for each in found))
    lines = [f"{'strategy':<{width}}  {'fills':>7}  {'cash':>18}  {'equity':>18}  {bars:,} closes"]
    for each in found:
        live = each.live
        verdict = "the same" if each.is_same else "DIFFERENT"
        lines.append(
            f"{each.case.strategy:<{width}}  {len(live.fills):>7,}  {live.cash_micro / 1e6:>18,.6f}  "
            f"{live.equity_micro / 1e6:>18,.6f}  {verdict}"
        )
    for each in found:
        lines += ["", f"{each.case.strategy}:", *(f"  {line}" for line in told(each))] if not each.is_same else []
    return lines


def _as_json(found: Comparison) -> dict[str, Any]:
    sides = {"live": found.live, "backtest": found.backtest}
    return {
        "strategy": found.case.strategy,
        "params": found.case.params,
        "options": found.case.options,
        "is_same": found.is_same,
        "first_difference": found.first if found.first >= 0 else None,
        "told": told(found),
        **{
            name: {
                "fills": [fill._asdict() for fill in side.fills],
                "cash": side.cash_micro / 1e6,
                "equity": side.equity_micro / 1e6,
            }
            for name, side in sides.items()
        },
    }
