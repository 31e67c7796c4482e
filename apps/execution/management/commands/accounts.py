"""`manage.py accounts`: client accounts, opened, subscribed, listed, flattened."""

import argparse
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from django.conf import settings

from apps.execution.book_contracts import ConfigureAccount
from apps.execution.contracts import Subscribe
from apps.execution.edge.paper_cash import pay
from apps.execution.interface import (
    AccountError,
    NewAccount,
    cancel_order,
    configure_accounts,
    configure_followers,
    configure_set,
    flatten,
    lift_gates,
    open_accounts,
    place_order,
    resume,
    subscribe,
)
from apps.execution.models import Account
from apps.execution.orders_typed import IN_FORCE, Typed, order_of
from apps.execution.settings_chain import BELOW_MINS
from apps.execution.settings_typed import given_of, sizing_of
from apps.execution.terms import configured, terms_of
from banyan import commands
from banyan.columns import ints
from banyan.ids import derive

_YES_NO = {"yes": True, "no": False}
_LEVEL = ("sizing", "multiplier", "lots_max", "below_min", "only", "reverse", "close_only")


def _some_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account", nargs="*", help="accounts by their ids")
    parser.add_argument("--count", type=int, help="stand for that many accounts: ID-1 to ID-n, zeros in front")


def _reason_arguments(parser: argparse.ArgumentParser) -> None:
    _some_arguments(parser)
    parser.add_argument("--reason", default="", help="why, for the record")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account", nargs="*", help="accounts by their ids (all)")


def _open_arguments(parser: argparse.ArgumentParser) -> None:
    _some_arguments(parser)
    parser.add_argument("--client", default="", help="whose account it is (its own id)")
    parser.add_argument("--broker", default="paper", help="where it is held (paper)")
    parser.add_argument("--currency", default="USD", help="the account's currency (USD)")
    parser.add_argument("--via", default="", help="currency to convert over where no pair of both is known")
    parser.add_argument("--deposit", type=float, default=0.0, help="what it begins with, in its currency")
    parser.add_argument("--leverage", type=float, default=1.0, help="the most notional per unit of equity (1)")
    parser.add_argument(
        "--hedging",
        action="store_true",
        help="nothing is netted: each opening is a position of its own, which closes name",
    )
    parser.add_argument("--zone", default="UTC", help="IANA zone in which the account's day turns (UTC)")
    parser.add_argument("--canary", action="store_true", help="open it in the canary shard, for life")


def _unsubscribe_arguments(parser: argparse.ArgumentParser) -> None:
    _some_arguments(parser)
    parser.add_argument("--set", help="the strategy set")


def _subscribe_arguments(parser: argparse.ArgumentParser) -> None:
    _some_arguments(parser)
    parser.add_argument("--set", help="the strategy set to follow")
    parser.add_argument("--allocation", type=float, default=1.0, help="share of equity that the set is given (1)")
    parser.add_argument("--join", choices=("converge", "next-change"), default="next-change", help="when to begin")
    parser.add_argument(
        "--symbol", nargs="+", default=(), metavar="ID=ID", help="what is traded in place of an instrument of the set"
    )
    _level_arguments(parser)


def _level_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sizing", default="", metavar="RULE[:N]", help="what a weight means here, as for `backtest`, such as vol:15"
    )
    parser.add_argument("--multiplier", type=float, help="times what sets want")
    parser.add_argument("--lots-max", type=float, help="the most lots to hold of an instrument")
    parser.add_argument("--below-min", choices=BELOW_MINS, default="", help="what is too small to order")
    parser.add_argument("--only", nargs="+", metavar="ID", help="the only instruments of sets that may be traded")
    parser.add_argument("--reverse", choices=_YES_NO, help="the opposite of what sets want")
    parser.add_argument("--close-only", choices=_YES_NO, help="positions only become smaller")


def _configure_arguments(parser: argparse.ArgumentParser) -> None:
    _some_arguments(parser)
    parser.add_argument("--set", help="instead of accounts: for all who follow this set and do not say otherwise")
    _level_arguments(parser)


def _payment_arguments(parser: argparse.ArgumentParser) -> None:
    _some_arguments(parser)
    parser.add_argument("--amount", type=float, default=0.0, help="how much, in the account's currency")
    parser.add_argument("--key", default="", help="a name for this payment; again, it is done once")


def _order_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account", nargs=1, metavar="ACCOUNT", help="the account's id")
    parser.add_argument("--instrument", default="", help="of what")
    parser.add_argument("--lots", type=float, default=0.0, help="how many lots to buy, or (-) to sell")
    parser.add_argument("--limit", type=float, help="at this price or better")
    parser.add_argument("--stop", type=float, help="once this price is touched; with --limit a stop-limit")
    parser.add_argument("--in-force", choices=tuple(IN_FORCE), default="gtc", help="for how long (gtc)")
    parser.add_argument("--until", default="", help="ISO time, UTC, until which a gtd order stands")
    parser.add_argument("--key", default="", help="a name for this order; again, it is done once")


def _cancel_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account", nargs=1, metavar="ACCOUNT", help="the account's id")
    parser.add_argument("--instrument", default="", help="of what")
    parser.add_argument("--order", type=int, default=0, help="the order's number, as `report orders` shows it")
    parser.add_argument("--key", default="", help="a name for this cancel; again, it is done once")


class Command(commands.Command):
    """Says which accounts there are and which sets they follow."""

    help = (
        "Open accounts, let them follow strategy sets, close what they hold. What is asked for is done by whoever runs "
        "the accounts' shards (`manage.py run`), at once or as soon as it runs."
    )

    examples = """
  manage.py accounts open ACME-1 --client acme --deposit 100000
  manage.py accounts subscribe ACME-1 --set trend --allocation 0.5
  manage.py accounts list
  manage.py accounts order --help"""
    actions = (
        commands.Action(
            "open", "open accounts; those that are open already stay as they are", _open_arguments,
            """
  manage.py accounts open ACME-1 --client acme --deposit 100000
  manage.py accounts open DEMO --client demo --deposit 100000 --count 100      (DEMO-001 to DEMO-100)""",
        ),
        commands.Action(
            "subscribe", "let accounts follow a strategy set, or change how they do", _subscribe_arguments,
            """
  manage.py accounts subscribe ACME-1 --set trend --allocation 0.5
  manage.py accounts subscribe DEMO --count 100 --set trend --join converge --sizing vol:15
  manage.py accounts subscribe ACME-1 --set trend --only OANDA:EURUSD --symbol OANDA:EURUSD=LMAX:EURUSD""",
        ),
        commands.Action(
            "unsubscribe", "let accounts follow a strategy set no longer", _unsubscribe_arguments,
            """
  manage.py accounts unsubscribe ACME-1 --set trend""",
        ),
        commands.Action(
            "configure",
            "set what holds for accounts, whatever set they follow, or for all who follow a set; what is not given is "
            "left to others again",
            _configure_arguments,
            """
  manage.py accounts configure ACME-1 --multiplier 0.5 --lots-max 2 --only OANDA:EURUSD
  manage.py accounts configure --set trend --sizing vol:15 --lots-max 5""",
        ),
        commands.Action(
            "deposit", "pay into accounts at the paper broker", _payment_arguments,
            """
  manage.py accounts deposit ACME-1 --amount 2500 --key march""",
        ),
        commands.Action(
            "withdraw", "pay out of accounts at the paper broker", _payment_arguments,
            """
  manage.py accounts withdraw ACME-1 --amount 2500 --key march""",
        ),
        commands.Action(
            "order", "order by hand, for the account's book manual", _order_arguments,
            """
  manage.py accounts order ACME-1 --instrument OANDA:EURUSD --lots 0.5 --limit 1.0812 --in-force day
  manage.py accounts order ACME-1 --instrument OANDA:EURUSD --lots -0.5""",
        ),
        commands.Action(
            "cancel", "cancel an order; what it has filled stays", _cancel_arguments,
            """
  manage.py accounts cancel ACME-1 --instrument OANDA:EURUSD --order 12""",
        ),
        commands.Action(
            "flatten", "close what accounts hold, and hold them at zero until resumed", _reason_arguments,
            """
  manage.py accounts flatten ACME-1 --reason "client asked\"""",
        ),
        commands.Action(
            "resume", "let accounts trade again that were flattened or went close-only", _some_arguments,
            """
  manage.py accounts resume ACME-1""",
        ),
        commands.Action(
            "lift", "let accounts trade again that the edge has gated: a person has looked", _reason_arguments,
            """
  manage.py accounts lift ACME-1 --reason "order 12 was cancelled by phone\"""",
        ),
        commands.Action("list", "list accounts, or those given", _list_arguments),
    )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it."""
        getattr(self, f"_{options['action']}")(_named(options["account"], options.get("count")), options)

    def _open(self, accounts: list[str], options: dict[str, Any]) -> None:
        if not accounts:
            raise AccountError("open which accounts? Give their ids")
        known = set(Account.objects.using("execution").filter(id__in=accounts).values_list("id", flat=True))
        opened = open_accounts(
            NewAccount(
                id=account,
                client=options["client"] or account,
                deposit=options["deposit"],
                broker=options["broker"],
                currency=options["currency"],
                leverage=options["leverage"],
                is_hedging=options["hedging"],
                time_zone=options["zone"],
                is_canary=options["canary"],
                via=options["via"],
            )
            for account in accounts
        )
        new = [f"{each.id} (number {each.number}, shard {each.shard})" for each in opened if each.id not in known]
        if new:
            self.say(f"opened {', '.join(new[:3])}{f' and {len(new) - 3:,} more' if len(new) > 3 else ''}")
        if known:
            self.say(f"{commands.counted(len(known), 'account')} open already: nothing changes for them")

    def _subscribe(self, accounts: list[str], options: dict[str, Any]) -> None:
        terms = Subscribe(
            account=0,
            set=options["set"] or "",
            allocation_e9=round(options["allocation"] * 1e9),
            join=options["join"],
            symbols=_symbols(options["symbol"]),
            **_level(options),
        )
        self._change(accounts, terms, "follow")

    def _unsubscribe(self, accounts: list[str], options: dict[str, Any]) -> None:
        self._change(accounts, Subscribe(account=0, set=options["set"] or "", is_active=False), "no longer follow")

    def _change(self, accounts: list[str], terms: Subscribe, verb: str) -> None:
        if not terms.set or not accounts:
            raise AccountError("give the accounts and --set")
        wanted = configured(terms.set)
        configure_set(wanted, request=derive("configure", msgspec.json.encode(wanted).decode()))
        count = subscribe([(account, terms) for account in accounts], request=uuid.uuid4().hex)
        self.say(f"{count:,} account{'s' * (count != 1)} {verb} {terms.set}")

    def _configure(self, accounts: list[str], options: dict[str, Any]) -> None:
        """Set what is given at the account, before subscriptions and sets; what is not given is left to them again."""
        if options["set"]:
            self._configure_set(accounts, options)
            return
        terms = ConfigureAccount(account=0, **_level(options))
        configure_accounts([(account, terms) for account in _some(accounts)], request=uuid.uuid4().hex)
        names = [name for name in _LEVEL if options[name] not in (None, "")]
        given = ", ".join(f"--{name.replace('_', '-')}" for name in names) or "nothing"
        self.say(f"{len(accounts):,} accounts: {given} set here; all else as their subscriptions and sets say")

    def _configure_set(self, accounts: list[str], options: dict[str, Any]) -> None:
        """Set what is given for all who follow a set, behind what accounts and subscriptions say."""
        if accounts or options["only"]:
            raise AccountError("give accounts or --set, not both; --only is of accounts")
        configure_followers(options["set"], given_of(_level(options)))
        self.say(f"{options['set']}: what is given holds for all who follow it and do not say otherwise")

    def _deposit(self, accounts: list[str], options: dict[str, Any]) -> None:
        self._pay(accounts, options, 1)

    def _withdraw(self, accounts: list[str], options: dict[str, Any]) -> None:
        self._pay(accounts, options, -1)

    def _pay(self, accounts: list[str], options: dict[str, Any], side: int) -> None:
        if not 0.0 < options["amount"] < 1e9:
            raise AccountError(f"{options['action']}: give --amount, above 0 and below a billion")
        found = list(Account.objects.using("execution").filter(id__in=_some(accounts)))
        missing = sorted(set(accounts) - {each.id for each in found})
        if missing:
            raise AccountError(f"there is no account {', '.join(missing[:5])}: `manage.py accounts list` shows them")
        elsewhere = [each.id for each in found if each.broker != "paper"]
        if elsewhere:
            raise AccountError(
                f"{', '.join(elsewhere[:5])}: not at the paper broker; what is paid elsewhere is reported"
            )
        numbers, amount = ints([each.number for each in found]), round(side * options["amount"] * 1e6)
        pay(settings.PAPER_DIR / "socket", numbers, ints([amount] * len(found)), f"payment {_key(options)}")
        self.say(f"{len(found):,} accounts: {side * options['amount']:+,.2f} each; it is no profit, and no loss")

    def _order(self, accounts: list[str], options: dict[str, Any]) -> None:
        if len(accounts) != 1 or not options["instrument"] or not options["lots"]:
            raise AccountError("order: give one account, --instrument and --lots")
        names = ("instrument", "lots", "limit", "stop", "in_force", "until")
        place_order(accounts[0], order_of(Typed(**{name: options[name] for name in names})), request=_key(options))
        self.say(f"asked for; `manage.py report orders --account {accounts[0]} --set manual` tells what becomes of it")

    def _cancel(self, accounts: list[str], options: dict[str, Any]) -> None:
        if len(accounts) != 1 or not options["instrument"] or not options["order"]:
            raise AccountError("cancel: give one account, --instrument and --order")
        cancel_order(accounts[0], options["instrument"], options["order"], request=_key(options))
        self.say(f"asked for; `manage.py report orders --account {accounts[0]}` tells whether it was in time")

    def _flatten(self, accounts: list[str], options: dict[str, Any]) -> None:
        flatten(_some(accounts), reason=options["reason"], request=uuid.uuid4().hex)
        self.say(f"{len(accounts):,} accounts: what they hold is closed, and they are held at zero until resumed")

    def _resume(self, accounts: list[str], options: dict[str, Any]) -> None:
        resume(_some(accounts), request=uuid.uuid4().hex)
        self.say(f"{len(accounts):,} accounts trade again")

    def _lift(self, accounts: list[str], options: dict[str, Any]) -> None:
        if not options["reason"]:
            raise AccountError("give --reason: why what the edge has found is settled")
        lift_gates(_some(accounts), reason=options["reason"], request=uuid.uuid4().hex)
        self.say(f"{len(accounts):,} accounts are let through by the edge again")

    def _list(self, accounts: list[str], options: dict[str, Any]) -> None:
        found = Account.objects.using("execution").all()
        for each in found.filter(id__in=accounts) if accounts else found:
            self.say(
                f"{each.number:>6} {each.id:<24} {each.client:<16} {each.broker:<8} {each.currency} shard {each.shard}"
            )


def _named(accounts: list[str], count: int | None) -> list[str]:
    if count is None:
        return accounts
    width = len(str(count))
    return [f"{account}-{number:0{width}d}" for account in accounts for number in range(1, count + 1)]


def _level(options: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that are given, as fields of a level. Raises AccountError and InstrumentNotFound."""
    sizing, number = sizing_of(options["sizing"])
    for each in options["only"] or ():
        terms_of(each)
    return {
        "sizing": sizing,
        "sizing_number_e9": number,
        "multiplier_e9": _e9(options["multiplier"]),
        "lots_max_e9": _e9(options["lots_max"]),
        "below_min": options["below_min"],
        "instruments": options["only"],
        "reverse": _YES_NO.get(options["reverse"]),
        "close_only": _YES_NO.get(options["close_only"]),
    }


def _symbols(typed: Sequence[str]) -> dict[str, str]:
    """Return what is traded in place of what. Raises AccountError and InstrumentNotFound."""
    found = {}
    for each in typed:
        source, _, traded = each.partition("=")
        if not source or not traded or source in found:
            raise AccountError(f"--symbol {each}: write each instrument of the set once, as OANDA:EURUSD=LMAX:EURUSD")
        found[terms_of(source).id] = terms_of(traded).id
    return found


def _e9(value: float | None) -> int:
    """Return a setting in billionths, -1 where it is not given."""
    if value is not None and not 0.0 <= value < 1e9:
        raise AccountError(f"{value:g}: a multiplier or a number of lots is from 0 to a billion")
    return -1 if value is None else round(value * 1e9)


def _key(options: dict[str, Any]) -> str:
    return options["key"] or uuid.uuid4().hex


def _some(accounts: list[str]) -> list[str]:
    if not accounts:
        raise AccountError("which accounts? Give their ids")
    return accounts
