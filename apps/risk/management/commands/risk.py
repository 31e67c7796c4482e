"""`manage.py risk`: limits, trading states, allowed instruments and sessions, as they are and as they shall be."""

import argparse
import uuid
from typing import Any

from apps.execution.interface import ids_of, numbers_by_shard
from apps.feeds.interface import get_instrument
from apps.risk import reading
from apps.risk.contracts import Limits, TradingState
from apps.risk.in_force import limits_in_force, lot_step_e9, place_of
from apps.risk.interface import (
    RiskError,
    allow_instruments,
    set_limits,
    set_sessions,
    set_trading_state,
)
from apps.risk.words import WORDS, changed_limits, limits_in_words, window_in_words, window_of
from banyan import commands
from banyan.commands import counted

_SHOWN_MAX = 20


_LIMITS = "\n".join(f"  {name + '=…':<24} such as {value}" for name, (*_, value) in WORDS.items())


def _account_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", action="append", default=[], metavar="ID", help="once for each")


def _instrument_argument(parser: argparse.ArgumentParser, told: str = "in which it holds") -> None:
    parser.add_argument("--instrument", action="append", default=[], metavar="ID", help=told)


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    _account_argument(parser)
    _instrument_argument(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _limit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("limits", nargs="*", metavar="NAME=VALUE", help="what to change; none takes one away")
    _account_argument(parser)
    _instrument_argument(parser)
    parser.add_argument("--reason", default="", help="why, for the record")


def _state_arguments(parser: argparse.ArgumentParser) -> None:
    _account_argument(parser)
    parser.add_argument("--set", default="", help="a strategy set")
    _instrument_argument(parser)
    parser.add_argument("--reason", default="", help="why, for the record")


def _allow_arguments(parser: argparse.ArgumentParser) -> None:
    _account_argument(parser)
    _instrument_argument(parser, "once for each")


def _sessions_arguments(parser: argparse.ArgumentParser) -> None:
    _instrument_argument(parser, "of which the sessions are")
    parser.add_argument("--open", action="append", default=[], metavar="WINDOW", help="once for each")
    parser.add_argument("--tz", default="UTC", help="zone of the windows (UTC)")


class Command(commands.Command):
    """Says what accounts may do, and changes it."""

    help = "Show and change what accounts may do. Changes are applied by whoever runs the shards (`manage.py run`)."
    examples = """
  manage.py risk show --account ACME-1 --instrument OANDA:EURUSD
  manage.py risk limit order-notional=100000 daily-loss=5% flatten-on-stop=yes
  manage.py risk halt --set trend --reason "prices look wrong"
  manage.py risk limit --help"""
    actions = (
        commands.Action(
            "show", "what is in force: for all, or what counts for an account or in an instrument, and who set it",
            _show_arguments,
            """
  manage.py risk show
  manage.py risk show --account ACME-1 --instrument OANDA:EURUSD""",
        ),
        commands.Action(
            "limit", f"""set limits of all accounts, of some, of an instrument, or of one in the other; the rest stays

limits, of which `none` takes one away:
{_LIMITS}""",
            _limit_arguments,
            """
  manage.py risk limit order-notional=100000 daily-loss=5% flatten-on-stop=yes
  manage.py risk limit position=50000lots --account ACME-1 --instrument OANDA:EURUSD
  manage.py risk limit daily-loss=none --account ACME-1""",
        ),
        commands.Action(
            "halt", "let through nothing but what is reduce-only: of accounts, a set, an instrument, or of everybody",
            _state_arguments,
            """
  manage.py risk halt --set trend --reason "prices look wrong\"""",
        ),
        commands.Action(
            "reduce", "let through only what makes a position smaller: of accounts, a set, an instrument, or everybody",
            _state_arguments,
            """
  manage.py risk reduce --account ACME-1""",
        ),
        commands.Action(
            "activate", "let through what limits allow; an account's loss stops are lifted, and measured anew from now",
            _state_arguments,
            """
  manage.py risk activate --account ACME-1 --reason "client asked\"""",
        ),
        commands.Action(
            "allow", "let accounts trade only the instruments given; without any they may trade all",
            _allow_arguments,
            """
  manage.py risk allow --account ACME-1 --instrument OANDA:EURUSD --instrument NYSEARCA:SPY""",
        ),
        commands.Action(
            "sessions", "let an instrument be traded only in weekly windows; without any it always may",
            _sessions_arguments,
            """
  manage.py risk sessions --instrument OANDA:EURUSD --open "Sun 17:00-Fri 17:00" --tz America/New_York""",
        ),
    )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it."""
        match options["action"]:
            case "show":
                self._show(options)
            case "limit":
                self._limit(options)
            case "allow":
                self._allow(options)
            case "sessions":
                self._sessions(options)
            case action:
                self._set_state(TradingState[_STATES[action]], options)

    # ---- changes ----

    def _limit(self, options: dict[str, Any]) -> None:
        if not options["limits"]:
            raise RiskError("which limits? Write NAME=VALUE, such as daily-loss=5%")
        instrument = _one(options["instrument"], "instrument")
        step_e9 = lot_step_e9(instrument)
        accounts = options["account"] or [""]
        changed: list[tuple[str, Limits]] = []
        for account in accounts:
            shard, number = place_of(account)
            before = reading.limits_asked_for(shard, number, instrument)
            changed.append((account, changed_limits(before, options["limits"], step_e9)))
        for account, limits in changed:
            set_limits(limits, account=account, instrument=instrument, reason=options["reason"], request=_request())
        told = ", ".join(f"{name} {value}" for name, value in limits_in_words(changed[-1][1], step_e9).items())
        self.say(f"limits of {_level(options['account'], instrument)}: {told or 'none'}")

    def _set_state(self, state: TradingState, options: dict[str, Any]) -> None:
        accounts, instrument = options["account"], _one(options["instrument"], "instrument")
        if instrument:
            get_instrument(instrument)
        set_trading_state(
            state, accounts=accounts, set_name=options["set"], instrument=instrument, reason=options["reason"],
            request=_request(),
        )  # fmt: skip
        whose = f"set {options['set']}" if options["set"] else _level(accounts, instrument)
        self.say(f"{whose}: {state.name.lower()}")

    def _allow(self, options: dict[str, Any]) -> None:
        if not options["account"]:
            raise RiskError("an allow list is that of an account: give --account")
        for instrument in options["instrument"]:
            get_instrument(instrument)
        for account in options["account"]:
            allow_instruments(account, options["instrument"] or None, request=_request())
        self.say(f"{_level(options['account'], '')}: may trade {', '.join(options['instrument']) or 'all'}")

    def _sessions(self, options: dict[str, Any]) -> None:
        instrument = _one(options["instrument"], "instrument")
        if not instrument:
            raise RiskError("sessions are those of an instrument: give --instrument")
        get_instrument(instrument)
        windows = [window_of(each) for each in options["open"]]
        set_sessions(instrument, windows or None, time_zone=options["tz"], request=_request())
        shown = f"{', '.join(map(window_in_words, windows))} ({options['tz']})" if windows else "always"
        self.say(f"{instrument}: open {shown}")

    # ---- what is in force ----

    def _show(self, options: dict[str, Any]) -> None:
        account, instrument = _one(options["account"], "account"), _one(options["instrument"], "instrument")
        if instrument:
            get_instrument(instrument)
        shard, number = place_of(account)
        state = reading.shard_state(shard)
        told = limits_in_force(state, account, number, instrument)
        if not account:
            told["accounts_not_active"] = _not_active()
        told["requests_waiting"] = reading.waiting()
        if options["json"]:
            self.say_json(told)
        else:
            self._write(told)

    def _write(self, told: dict[str, Any]) -> None:
        states = told["trading_state"]
        self.say("trading state: " + (", ".join(f"{state} for {whose}" for whose, state in states.items()) or "active"))
        if told.get("stopped_by"):
            self.say(f"stopped by: {', '.join(told['stopped_by'])}; `manage.py risk activate` lifts it")
        if "allowed" in told:
            self.say(f"may trade: {'all' if told['allowed'] is None else ', '.join(told['allowed']) or 'nothing'}")
        for name, windows in told["sessions"].items():
            self.say(f"{name}: open {windows}")
        if told["limits"]:
            width = max(len(each["value"]) for each in told["limits"])
            for each in told["limits"]:
                self.say(f"  {each['limit']:<22} {each['value']:>{width}}   set for {each['set_for']}")
        else:
            self.say("  no limits")
        resting = told.get("accounts_not_active", [])
        if resting:
            more = f" and {len(resting) - _SHOWN_MAX:,} more" if len(resting) > _SHOWN_MAX else ""
            self.say(f"{counted(len(resting), 'account')} not active: {', '.join(resting[:_SHOWN_MAX])}{more}")
        if told["requests_waiting"]:
            self.say(f"{counted(told['requests_waiting'], 'request')} not applied yet: they wait for `manage.py run`")


_STATES = {"halt": "HALTED", "reduce": "REDUCING", "activate": "ACTIVE"}


def _not_active() -> list[str]:
    numbers = [
        number
        for shard, _ in numbers_by_shard([])
        for number in reading.accounts_not_active(reading.shard_state(shard))
    ]
    ids = ids_of(numbers)
    return sorted(ids.get(number, str(number)) for number in numbers)


def _one(given: list[str], what: str) -> str:
    if len(given) > 1:
        raise RiskError(f"one --{what} at a time: {', '.join(given)}")
    return given[0] if given else ""


def _level(accounts: list[str], instrument: str) -> str:
    whose = ", ".join(accounts[:3]) + (f" and {len(accounts) - 3:,} more" if len(accounts) > 3 else "")
    return " in ".join(filter(None, (whose, instrument))) or "all accounts"


def _request() -> str:
    return uuid.uuid4().hex
