"""`manage.py report`: what became of orders, what is held, what was earned, and why something was not done."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from apps.reporting import interface
from apps.reporting.interface import OrderRow, Scope, ScopeError, SkipRow
from banyan import commands

Cell = Callable[[Any], str]
_NOTHING: Mapping[str, str] = {
    "accounts": "no account is known yet: `manage.py accounts open`, and let `manage.py run` run",
    "orders": "no orders",
    "fills": "no fills",
    "positions": "nothing was ever held",
    "pnl": "nothing was earned or lost yet",
    "signals": "no signals",
    "refusals": "nothing was refused",
    "skips": "no account was skipped",
    "latency": "no order has passed a stage",
    "slippage": "no order was filled",
}


class Command(commands.Command):
    """Shows the read models to a person."""

    help = """Show what became of things, newest first.

  accounts   what each is worth               refusals   orders refused by risk, the edge or the venue, and why
  orders     state, fills, and why it ended   skips      accounts that a target gave no order, and why
  fills      lots that books got or gave      signals    what strategy sets wanted
  positions  what books hold, at last closes  latency    how long each stage from signal to fill took
  pnl        realised, unrealised, fees       slippage   fills against the quote at decision and at arrival

It is told from what `manage.py run` (role `reporting`) has read of the logs; `manage.py reporting status` says how far
that is. With --client or --account nothing of anybody else is shown."""

    examples = """
  manage.py report orders --account ACME-1 --timeline
  manage.py report orders --account ACME-1 --set trend --why --lines 1
  manage.py report pnl --by account,set --client acme
  manage.py report pnl --by day --set trend
  manage.py report refusals --day 2026-03-02
  manage.py report latency --set trend
  manage.py report positions --json"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("what", choices=tuple(_NOTHING), help="what to show")
        parser.add_argument("--client", default="", help="only this client's accounts")
        parser.add_argument("--account", default="", help="only this account")
        parser.add_argument("--set", default="", help="only this strategy set (or the book manual or external)")
        parser.add_argument("--instrument", default="", help="only this instrument")
        parser.add_argument("--day", type=_day, help="only this day, in the account's zone (2026-03-02)")
        parser.add_argument("--by", default="account", help="pnl: group by account, set, instrument, day (account)")
        parser.add_argument("--timeline", action="store_true", help="orders: what happened to each, and when")
        parser.add_argument(
            "--why",
            action="store_true",
            help="orders, skips: the settings that held, and the level that gave each",
        )
        parser.add_argument("--lines", type=int, default=50, help="how many rows at most (50)")
        parser.add_argument("--json", action="store_true", help="a JSON array, with times in ns since 1970 UTC")

    def run(self, **options: Any) -> None:
        """Show it."""
        scope = Scope(**{name: options[name] for name in ("client", "account", "set", "instrument", "day")})
        if options["lines"] < 1:
            raise ScopeError("--lines must be at least 1")
        interface.check(scope)
        what, most = options["what"], options["lines"]
        by = tuple(name.strip() for name in options["by"].split(",") if name.strip())
        found = _ask(what, scope, most + 1, by)
        shown, more = found[:most], len(found) > most
        if options["json"]:
            wanted = frozenset(name for name in ("timeline", "why") if options[name])
            self.say_json([_plain(row, by, wanted) for row in shown])
        elif not shown:
            self.say(f"{_NOTHING[what]}{_of(scope)}")
        elif what in ("orders", "skips") and (options["why"] or options["timeline"]):
            self._one_by_one(shown, options)
        else:
            self._table(what, shown, by)
        if more:
            self.whisper(f"there are more than {most:,}: --lines shows more of them")

    def _one_by_one(self, found: Sequence[OrderRow | SkipRow], options: Mapping[str, Any]) -> None:
        for row in found:
            if isinstance(row, OrderRow):
                self.say(f"{row.account} {row.instrument} #{row.decision} {row.set} {row.lots:+g} lots: {row.state}")
            else:
                self.say(f"{_time(row.skipped_at_ns)} {row.account} {row.instrument} {row.set}: {row.reason}")
            if options["timeline"] and isinstance(row, OrderRow):
                for each in interface.timeline(row, interface.fills_of(row)):
                    self.say(f"  {_time(each.at_ns)}  {each.what}")
            if options["why"]:
                told = interface.settings_of(row)
                for setting in told:
                    self.say(f"  {setting.name:<12} {setting.value:<16} {setting.level or 'nowhere given'}")
                if not told:
                    self.say(f"  no settings: {row.set} is no strategy set that the account follows")

    def _table(self, what: str, found: Sequence[Any], by: Sequence[str]) -> None:
        names = [name for name in found[0]._fields if name not in _HIDDEN.get(what, ())]
        if what == "orders":
            names = ["requested_at_ns", *names]
        columns: list[tuple[str, list[str], bool]] = []
        for name in names:
            values = [getattr(row, name) for row in found]
            if name == "group":
                columns += [(each, [str(row.group[at]) for row in found], True) for at, each in enumerate(by)]
            else:
                is_left = name.endswith("_ns") or all(isinstance(value, str) for value in values)
                columns.append((_title(name), [_cell(name, value) for value in values], is_left))
        for line in table(columns):
            self.say(line)


def table(columns: Sequence[tuple[str, Sequence[str], bool]]) -> list[str]:
    """Return (title, cells, whether they stand left) as lines of aligned columns, a rule under their titles."""
    widths = [max(len(title), *map(len, cells)) for title, cells, _ in columns]
    lefts = [is_left for _, _, is_left in columns]
    lines = [[title for title, _, _ in columns], ["-" * width for width in widths]]
    lines += [list(cells) for cells in zip(*(cells for _, cells, _ in columns), strict=True)]
    return ["  ".join(_aligned(*cell) for cell in zip(line, widths, lefts, strict=True)).rstrip() for line in lines]


def _aligned(text: str, width: int, is_left: bool) -> str:
    return text.ljust(width) if is_left else text.rjust(width)


_HIDDEN: Mapping[str, Sequence[str]] = {
    "orders": (
        "requested_at_ns", "approved_at_ns", "sent_at_ns", "accepted_at_ns", "unknown_at_ns", "first_fill_ns",
        "last_fill_ns", "ended_at_ns", "signalled_at_ns", "number", "decided_at_ns",
    ),
    "positions": ("steps",),
    "skips": ("number",),
}  # fmt: skip
_MONEY = (
    "deposit", "balance", "equity", "margin", "value", "unrealised", "realised", "fees", "fee", "amount", "total",
    "notional", "decision_cost", "arrival_cost", "swap", "dividends",
)  # fmt: skip


def _ask(what: str, scope: Scope, most: int, by: Sequence[str]) -> Sequence[Any]:
    match what:
        case "pnl":
            return interface.pnl(scope, by, most)
        case "latency":
            return interface.latencies(scope)
        case "slippage":
            return interface.slippage(scope)
        case _:
            asked: Sequence[Any] = getattr(interface, what)(scope, most)
            return asked


def _plain(row: Any, by: Sequence[str], wanted: frozenset[str]) -> dict[str, Any]:
    named: dict[str, Any] = row._asdict()
    if "timeline" in wanted and isinstance(row, OrderRow):
        named["timeline"] = [each._asdict() for each in interface.timeline(row, interface.fills_of(row))]
    if "why" in wanted and isinstance(row, OrderRow | SkipRow):
        settings = interface.settings_of(row)
        named["settings"] = {each.name: {"value": each.value, "level": each.level} for each in settings}
    if "group" in named:
        named = {**dict(zip(by, named.pop("group"), strict=True)), **named}
    return named


def _title(name: str) -> str:
    return name.removesuffix("_at_ns").removesuffix("_ns").replace("_", " ")


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.endswith("_ns"):
        return _time(value)
    if isinstance(value, float):
        digits = 2 if name in _MONEY or name.endswith("_bps") else 3 if name.endswith("_ms") else None
        return f"{value:,.{digits}f}" if digits is not None else f"{value:.10g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _time(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}.{at_ns % 10**9 // 1000:06d}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-03-02") from None


def _of(scope: Scope) -> str:
    named = [
        f"{name} {value}"
        for name in ("client", "account", "set", "instrument", "day")
        if (value := getattr(scope, name))
    ]
    return f" of {', '.join(named)}" if named else ""
