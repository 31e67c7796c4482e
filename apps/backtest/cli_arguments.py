"""The arguments that backtest, sweep, optimize and walkforward share, and what is made of them."""

import argparse
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, get_args

from apps.backtest.cli_grid import parse_assignments
from apps.backtest.options import SIZINGS, Options
from apps.backtest.request import DataRequest, RunRequest
from banyan.commands import UsageError

_SIZINGS = "; ".join(f"{name}{'' if default is None else ':N'} ({doc})" for name, (doc, default) in SIZINGS.items())

# Every field of Options, and how the command line explains it.
OPTION_HELP = {
    "cash": "cash at the start, in the account's currency",
    "currency": "currency of the account; the first instrument's when not given",
    "fill": "price of a market order: the open of the next bar, or the close that decided",
    "sizing": f"what a weight means: {_SIZINGS}; the strategy's own when not given",
    "size_at": "when lots are fixed: at the fill price, or at the close that decided, as it must be live",
    "rebalance": "trade an unchanged weight once it has drifted by more than this share of equity; else never",
    "accounting": "one net position per instrument, or a position per entry",
    "leverage": "largest gross notional, in multiples of equity",
    "margin_call": "close everything when equity falls under this share (0 to 1) of the margin held",
    "fee_bps": "fee, in basis points (1/100 percent) of each fill's notional",
    "fee_per_share": "fee per unit traded, in the account's currency",
    "fee_per_lot": "fee per lot traded, in the account's currency",
    "fee_minimum": "smallest fee of a fill, in the account's currency",
    "spread": "ask minus bid in price, for bars without quotes",
    "slippage_bps": "slippage against us, in basis points of the price",
    "slippage_fixed": "slippage against us, in price",
    "slippage_volume": "k of the slippage k x (share of the bar's volume)^2 x price",
    "volume_cap": "largest share (0 to 1) of a bar's volume that one bar fills; 0 for no cap",
    "swap_long_pct": "percent a year paid on long notional (negative: received)",
    "swap_short_pct": "percent a year paid on short notional: swap or borrow",
    "returns": "returns of which the metrics are made: of daily closes, or of bars",
    "risk_free_pct": "risk-free rate, percent a year",
    "engine": "auto, or events: every run through the event loop, without the fast path",
}


def add_strategy_arguments(parser: argparse.ArgumentParser, *, params: bool = True) -> None:
    """Add STRATEGY and --param."""
    parser.add_argument(
        "strategy", metavar="STRATEGY", help="a shipped one (see `manage.py list_strategies`) or path/to/file.py[:name]"
    )
    if params:
        parser.add_argument(
            "--param", "-p", action="append", default=[], metavar="NAME=VALUE",
            help="a parameter of the strategy, such as fast=20; once for each. The others keep their defaults",
        )  # fmt: skip


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which bars are traded."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--instrument", "-i", nargs="+", action="extend", default=[], metavar="ID",
        help="VENUE:SYMBOL as imported by import_bars; several for strategies with several channels, in their order",
    )  # fmt: skip
    group.add_argument(
        "--interval",
        default="",
        metavar="SPAN",
        help="interval of the bars: 1m, 5m, 1h, 1d, ... (with --csv: found in the file)",
    )
    group.add_argument(
        "--from", dest="start", default="", metavar="TIME", help="first bar: 2015, 2015-03-01 or 2015-03-01T12:00"
    )
    group.add_argument(
        "--to", dest="end", default="", metavar="TIME", help="bars that open before this time (it is left out)"
    )
    group.add_argument(
        "--csv", nargs="+", action="extend", default=[], metavar="[ID=]FILE",
        help="run straight off a CSV, CSV.gz or Parquet file; nothing is imported, no database is used. "
        "ID=FILE for each of several instruments",
    )  # fmt: skip
    group.add_argument(
        "--tz", default="UTC", metavar="ZONE", help="time zone of times in the file that have none (UTC)"
    )
    group.add_argument(
        "--columns", default="", metavar="A,B,...", help="names of the file's columns in order, if it has no header"
    )
    group.add_argument(
        "--adjust",
        choices=("none", "splits", "all"),
        default="",
        help="adjust imported prices for nothing, splits, or splits and dividends (all)",
    )
    group.add_argument(
        "--spec", action="append", default=[], metavar="NAME=VALUE",
        help="a fact about the instrument that differs from what is known: tick_size, lot_step, lot_min, "
        "contract_size, margin_rate, currency, calendar, time_zone",
    )  # fmt: skip
    group.add_argument(
        "--conversion", action="append", default=[], metavar="CURRENCY=ID",
        help="for an instrument in another currency than the account: instrument (with --csv: file) whose price is "
        "that of one CURRENCY in the account's currency",
    )  # fmt: skip
    group.add_argument(
        "--benchmark",
        default="",
        metavar="ID",
        help="instrument (with --csv: file) that alpha and beta are measured against",
    )


def add_option_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one flag for each field of Options."""
    group = parser.add_argument_group("account, fills and costs")
    for option in fields(Options):
        choices = get_args(option.type) or None
        default = default_of(option)
        group.add_argument(
            "--" + option.name.replace("_", "-"),
            type=float if isinstance(option.default, float) else str,
            choices=choices,
            default=None,
            metavar=None if choices else ("NUMBER" if isinstance(option.default, float) else "TEXT"),
            help=(OPTION_HELP[option.name] + (f" ({default})" if default else "")).replace("%", "%%"),
        )


def options_given(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the run that were typed, by name. Raises OptionError for one that cannot be used."""
    typed = {option.name: given[option.name] for option in fields(Options) if given.get(option.name) is not None}
    Options.of(typed)
    return typed


def request_of(given: dict[str, Any]) -> RunRequest:
    """Return what the command line asks for. Raises the errors of the strategy, its parameters, options and data."""
    from apps.signals.interface import get_strategy

    strategy = get_strategy(given["strategy"])
    texts = parse_assignments(given.get("param") or [], "param")
    params = {name: strategy.parse(name, text) for name, text in texts.items()}
    return RunRequest(
        strategy=_lasting_name(given["strategy"]), params=params, options=options_given(given), data=data_of(given)
    )


def data_of(given: dict[str, Any]) -> DataRequest:
    """Return which bars the command line asks for. Raises UsageError where it does not add up."""
    instruments, files = list(given["instrument"]), []
    for text in given["csv"]:
        head, sign, tail = text.partition("=")
        named = bool(sign) and not Path(text).exists()
        files.append(str(Path(tail if named else text).resolve()))
        if named:
            instruments.append(head)
    if files and not instruments:
        instruments = [_stem(name) for name in files]
    if files and len(files) != len(instruments):
        raise UsageError(f"{len(files)} files for {len(instruments)} instruments: write --csv ID=FILE for each of them")
    if not instruments:
        raise UsageError("say what to trade: --instrument ID --interval 1h, or --csv FILE")
    if len(set(instruments)) < len(instruments):
        raise UsageError(f"an instrument was given twice: {', '.join(instruments)}")
    if not files and not given["interval"]:
        raise UsageError("--interval is missing: 1m, 5m, 1h, 1d, ... as imported (see `manage.py list_data`)")
    if files and given["adjust"]:
        raise UsageError("--adjust works on imported bars; a file is taken as it is")
    beside = parse_assignments(given["conversion"], "conversion")
    conversion = {money: _lasting_path(name) for money, name in beside.items()}
    return DataRequest(
        instruments=tuple(instruments), files=tuple(files), interval=given["interval"], start=given["start"],
        end=given["end"], time_zone=given["tz"], columns=given["columns"],
        adjust=given["adjust"] or ("none" if files else "all"),
        benchmark=_lasting_path(given["benchmark"]),
        conversion=conversion,
        spec=parse_assignments(given["spec"], "spec"),
    )  # fmt: skip


def _stem(name: str) -> str:
    return Path(name).name.removesuffix(".gz").rpartition(".")[0] or Path(name).name


def _lasting_path(name: str) -> str:
    return str(Path(name).resolve()) if Path(name).is_file() else name


def _lasting_name(name: str) -> str:
    """Return the strategy's name such that it means the same from another folder."""
    path, _, member = name.rpartition(":") if not name.endswith(".py") else (name, "", "")
    if not path.endswith(".py"):
        return name
    return f"{Path(path).resolve()}{':' * bool(member)}{member}"


def default_of(option: "Field[Any]") -> str:
    """Return what an option is where it is not given; "" where that is nothing, or the strategy's to say."""
    value = option.default
    if value is MISSING or value == "" or value != value:
        return ""
    return f"{value:,g}" if isinstance(value, float) else str(value)
