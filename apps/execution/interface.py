"""What people and programs ask of execution: accounts, subscriptions, orders by hand, flattening."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from django.db import transaction

from apps.execution.book_contracts import ConfigureAccount, LiftGates, Resolution, ResolveOrder
from apps.execution.contracts import (
    CancelOrder,
    ConfigureSet,
    Flatten,
    OpenAccount,
    PlaceManualOrder,
    Resume,
    Subscribe,
)
from apps.execution.edge.kill_switch import KillSwitch
from apps.execution.models import Account, SetLevel
from apps.execution.settings_chain import refusal_of
from apps.signals.contracts import DefineSet
from banyan.clock import Clock, SystemClock
from banyan.codec import decode_envelope, decode_message
from banyan.columns import ints
from banyan.ids import derive
from banyan.lineage import Applied
from banyan.lineage import record_of as found_record
from banyan.models import Key, Request
from banyan.shards import CANARY, SHARDS_MAX, shard_keys, shard_of
from banyan.store import Store, lent
from banyan.transport import Command, ask

ALIAS = "execution"
_LOOKED_AT = 1_000


class AccountError(ValueError):
    """What was asked cannot be: the message says which account, what is wrong and what to do."""

    exit_code: ClassVar = 2


class Asked(NamedTuple):
    """A command that waits for a shard until it is applied, by its id."""

    shard: str
    id: str


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to open. `deposit` is in units of `currency`; with `is_canary` it is in the canary shard, for life."""

    id: str
    client: str
    deposit: float
    broker: str = "paper"
    currency: str = "USD"
    leverage: float = 1.0
    is_hedging: bool = False
    time_zone: str = "UTC"
    is_canary: bool = False
    via: str = ""

    def check(self) -> None:
        """Raise AccountError for what no account can be."""
        if not self.id or len(self.id) > 64 or not self.id.isprintable() or "/" in self.id:
            raise AccountError(f"account {self.id!r}: an id has 1 to 64 printable characters, and no /")
        if not 0.0 <= self.deposit < 1e9:
            raise AccountError(f"account {self.id}: a deposit of {self.deposit:g} is not from 0 to a billion")
        if not 1.0 <= self.leverage <= 1000.0:
            raise AccountError(f"account {self.id}: a leverage of {self.leverage:g} is not from 1 to 1000")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise AccountError(f"account {self.id}: {self.time_zone!r} is no IANA time zone") from None


def open_accounts(wanted: Iterable[NewAccount], clock: Clock | None = None) -> list[Account]:
    """Open accounts, or find those that are open already; return their directory entries. Raises AccountError."""
    accounts = list(wanted)
    for account in accounts:
        account.check()
    check_spread()
    with transaction.atomic(using=ALIAS):
        entries = [_entry(account) for account in accounts]
    _ask([_opening(account, entry) for account, entry in zip(accounts, entries, strict=True)], clock)
    return entries


def check_spread() -> None:
    """Raise AccountError where the accounts there are were spread over another number of shards than is set."""
    entries = Account.objects.using(ALIAS).exclude(shard=CANARY).order_by("number")
    first = list(entries.values_list("id", "shard")[:_LOOKED_AT])
    fits = [count for count in range(1, SHARDS_MAX + 1) if all(shard_of(id_, count) == shard for id_, shard in first)]
    if settings.SHARDS in fits:
        return
    to_do = f"set BANYAN_SHARDS={fits[0]}" if fits else "restore the database that they were opened in"
    raise AccountError(
        f"the accounts here are not spread over {settings.SHARDS} shards, and stay where they are: {to_do}"
    )


def subscribe(subscriptions: Iterable[tuple[str, Subscribe]], *, request: str, clock: Clock | None = None) -> int:
    """Let accounts (by id) follow sets; `request` names this request, so that asking twice subscribes once.

    Return how many were asked for. Raises AccountError for an account that does not exist, and InstrumentNotFound.
    """
    from apps.execution.terms import terms_of

    wanted = list(subscriptions)
    known = {name: terms_of(name) for name in {name for _, each in wanted for name in each.symbols.values()}}
    entries = {each.id: each for each in Account.objects.using(ALIAS).filter(id__in=[account for account, _ in wanted])}
    unknown = [account for account, _ in wanted if account not in entries]
    if unknown:
        raise AccountError(f"there is no account {', '.join(unknown[:5])}: `manage.py accounts list` shows them")
    commands = []
    for account, terms in wanted:
        entry = entries[account]
        message_id = derive("subscribe", request, account, terms.set)
        traded = [known[name] for name in sorted(terms.symbols.values())]
        message = msgspec.structs.replace(terms, account=entry.number, symbol_terms=traded)
        commands.append(Command(entry.shard, message, message_id))
    _ask(commands, clock)
    return len(wanted)


def configure_accounts(configured: Iterable[tuple[str, ConfigureAccount]], *, request: str) -> list[Asked]:
    """Set what holds for all subscriptions of accounts (by id), instead of what held so far. Raises AccountError."""
    commands = []
    for account, terms in configured:
        problem = refusal_of(terms)
        if problem:
            raise AccountError(problem)
        ((shard, numbers),) = numbers_by_shard([account])
        message = msgspec.structs.replace(terms, account=numbers[0])
        commands.append(Command(shard, message, derive("configure-account", request, account)))
    _ask(commands)
    return [Asked(each.key, each.id) for each in commands]


def follow(account: str, terms: Subscribe, *, request: str) -> Asked:
    """Let an account (by id) follow a set, or change how it does, and let its shards know the set.

    Raises AccountError, SetError and InstrumentNotFound.
    """
    from apps.execution.terms import configured

    problem = refusal_of(terms)
    if problem:
        raise AccountError(problem)
    wanted = configured(terms.set)
    configure_set(wanted, request=derive("configure", msgspec.json.encode(wanted).decode()))
    subscribe([(account, terms)], request=request)
    return Asked(numbers_by_shard([account])[0][0], derive("subscribe", request, account, terms.set))


class Waiting(NamedTuple):
    """What waits to be set for an account, if anything does, and how far its shard's log is without that."""

    settings: ConfigureAccount | Subscribe | None
    shard: str
    number: int


def settings_waiting(account: str, set_name: str = "") -> Waiting:
    """Return what was asked last for an account (by id), or ("": not) for how it follows a set. Raises AccountError."""
    ((shard, (number,)),) = numbers_by_shard([account])
    kind = Subscribe if set_name else ConfigureAccount
    asked = Request.objects.using(ALIAS).filter(key=shard).order_by("-place").values_list("header", "body")
    for header, body in asked.iterator():
        message = decode_message(decode_envelope(bytes(header)).name, bytes(body))
        if isinstance(message, kind) and message.account == number and getattr(message, "set", "") == set_name:
            return Waiting(message, shard, 0)
    return Waiting(None, shard, _number_of(shard))


def account_settings(given: Mapping[str, Any]) -> ConfigureAccount:
    """Return the settings of an account that are written by name; None: left to subscriptions. Raises AccountError."""
    from apps.execution.settings_typed import level_of

    return ConfigureAccount(account=0, **level_of(given))


def subscription(set_name: str, given: Mapping[str, Any]) -> Subscribe:
    """Return how a set is followed that is written by name; None: left to the set. Raises AccountError."""
    from apps.execution.settings_typed import subscription_of

    return subscription_of(set_name, given)


def in_words(settings: ConfigureAccount | Subscribe) -> dict[str, Any]:
    """Return settings as `account_settings` and `subscription` read them."""
    from apps.execution.settings_typed import level_told, subscription_told

    return subscription_told(settings) if isinstance(settings, Subscribe) else level_told(settings)


def configure_set(message: ConfigureSet, *, request: str, clock: Clock | None = None) -> None:
    """Tell every shard what holds for a set."""
    message_id = derive("configure-set", request, message.set)
    shards = shard_keys(settings.SHARDS)
    _ask([Command(shard, message, derive(message_id, shard)) for shard in shards], clock)


def learn_set(defined: DefineSet) -> None:
    """Let the shards that have accounts know what a set trades that is defined so: its next targets are of that.

    Raises InstrumentNotFound.
    """
    store = Store(ALIAS)
    shards = store.connection.execute("SELECT DISTINCT shard FROM execution_account ORDER BY shard").fetchall()
    store.close()
    if shards:
        from apps.execution.terms import configured_as

        _tell_of_set(configured_as(defined), [key for (key,) in shards])


def configure_followers(set_name: str, level: Mapping[str, Any]) -> None:
    """Set what holds for all who follow a set, in place of what was set so, where they do not say otherwise.

    `level` is as `followers_level` returns it. Raises AccountError, SetError and InstrumentNotFound.
    """
    from apps.execution.terms import configured

    configured(set_name)
    problem = refusal_of(ConfigureSet(set=set_name, terms=[], **level))
    if problem:
        raise AccountError(problem)
    SetLevel.objects.using(ALIAS).update_or_create(set=set_name, defaults={"level": dict(level)})
    _tell_of_set(configured(set_name), shard_keys(settings.SHARDS))


def followers_level(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written by name for all who follow a set, as fields of `ConfigureSet`; None: its default.

    Raises AccountError.
    """
    from apps.execution.settings_typed import followers_level_of

    return followers_level_of(given)


def level_of_followers(set_name: str) -> dict[str, Any]:
    """Return what is set for all who follow a set, as fields of `ConfigureSet`; nothing where nothing was set."""
    found = SetLevel.objects.using(ALIAS).filter(set=set_name).values_list("level", flat=True).first()
    return dict(found or {})


def _tell_of_set(message: ConfigureSet, shards: Iterable[str]) -> None:
    now_ns = SystemClock().wall_ns()
    _ask([Command(key, message, derive("tell-of-set", key, message.set, now_ns)) for key in shards])


def flatten(accounts: Iterable[str], *, instrument: str = "", reason: str = "", request: str) -> None:
    """Close what accounts (by id; none: all) hold, and hold them at zero until `resume`. Raises AccountError."""
    _ask(
        [
            Command(
                shard,
                Flatten(accounts=ints(numbers), instrument=instrument, reason=reason),
                derive("flatten", request, shard),
            )
            for shard, numbers in numbers_by_shard(accounts)
        ]
    )


def place_order(account: str, order: PlaceManualOrder, *, request: str) -> Asked:
    """Place an order in an account's book `manual`; its `account` is filled in. Raises AccountError.

    `request` names this request, so that asking twice orders once.
    """
    ((shard, numbers),) = numbers_by_shard([account])
    message = msgspec.structs.replace(order, account=numbers[0])
    command = Command(shard, message, derive("place-order", account, request))
    _ask([command])
    return Asked(shard, command.id)


def order_of(
    instrument: str, lots: float, *, limit: float | None = None, stop: float | None = None, in_force: str = "gtc",
    until: str = "",
) -> PlaceManualOrder:  # fmt: skip
    """Return the order that is written so, at the last quote of its feed; `until` is an ISO time, for gtd.

    Raises AccountError and InstrumentNotFound.
    """
    from apps.execution.orders_typed import Typed
    from apps.execution.orders_typed import order_of as typed

    return typed(Typed(instrument=instrument, lots=lots, limit=limit, stop=stop, in_force=in_force, until=until))


def applied(asked: Asked) -> int | None:
    """Return the number of a record of the shard's log by which a command was applied; None: it waits."""
    if Request.objects.using(ALIAS).filter(id=asked.id).exists():
        return None
    return _number_of(asked.shard)


def record_of(asked: Asked) -> Applied | None:
    """Return the record of the shard's log by which a command was applied; None: it waits, or is forgotten."""
    return found_record(ALIAS, asked.shard, asked.id)


def cancel_order(account: str, instrument: str, decision: int, *, request: str) -> Asked:
    """Cancel an order by its decision number, if it is open. Raises AccountError."""
    ((shard, numbers),) = numbers_by_shard([account])
    message = CancelOrder(account=numbers[0], instrument=instrument, decision=decision)
    command = Command(shard, message, derive("cancel-order", account, request))
    _ask([command])
    return Asked(shard, command.id)


def resolve_order(
    account: str, instrument: str, decision: int, how: Resolution, *, reason: str, request: str
) -> Asked:  # fmt: skip
    """Do what a person says of an order that is UNKNOWN, which the edge looks after. Raises AccountError."""
    ((shard, numbers),) = numbers_by_shard([account])
    message = ResolveOrder(
        account=numbers[0], instrument=instrument, decision=decision, how=int(how), reason=reason
    )  # fmt: skip
    command = Command(shard, message, derive("resolve-order", account, request))
    _ask([command])
    return Asked(shard, command.id)


def resume(accounts: Iterable[str], *, instrument: str = "", request: str) -> None:
    """Let accounts (by id; none: all) trade again. Raises AccountError."""
    _ask(
        [
            Command(shard, Resume(accounts=ints(numbers), instrument=instrument), derive("resume", request, shard))
            for shard, numbers in numbers_by_shard(accounts)
        ]
    )


def lift_gates(accounts: Iterable[str], *, reason: str, request: str) -> None:
    """Let accounts (by id) trade again that the edge has gated. Raises AccountError."""
    _ask(
        [
            Command(shard, LiftGates(accounts=ints(numbers), reason=reason), derive("lift-gates", request, shard))
            for shard, numbers in numbers_by_shard(accounts)
        ]
    )


def kill_switch() -> KillSwitch:
    """Return the switch that stops new orders on this machine, whoever decides about them."""
    return KillSwitch(settings.KILL_SWITCH)


def _number_of(shard: str) -> int:
    return Key.objects.using(ALIAS).filter(key=shard).values_list("number", flat=True).first() or 0


def _entry(account: NewAccount) -> Account:
    known = Account.objects.using(ALIAS).filter(id=account.id).first()
    if known is not None:
        return known
    last = Account.objects.using(ALIAS).select_for_update().order_by("-number").first()
    shard = CANARY if account.is_canary else shard_of(account.id, settings.SHARDS)
    return Account.objects.using(ALIAS).create(
        id=account.id,
        number=last.number + 1 if last else 1,
        shard=shard,
        client=account.client,
        broker=account.broker,
        currency=account.currency,
    )


def _opening(account: NewAccount, entry: Account) -> Command:
    message = OpenAccount(
        account=account.id,
        number=entry.number,
        client=account.client,
        broker=account.broker,
        currency=account.currency,
        deposit_micro=round(account.deposit * 1e6),
        leverage_e9=round(account.leverage * 1e9),
        hedging=account.is_hedging,
        time_zone=account.time_zone,
        via=account.via,
    )
    return Command(entry.shard, message, derive("open-account", account.id))


def numbers_by_shard(accounts: Iterable[str]) -> list[tuple[str, list[int]]]:
    """Return the numbers of accounts (by id) by their shard; none: every shard. Raises AccountError."""
    wanted = list(accounts)
    if not wanted:
        return [(shard, []) for shard in shard_keys(settings.SHARDS)]
    found: dict[str, list[int]] = {}
    entries = {each.id: each for each in Account.objects.using(ALIAS).filter(id__in=wanted)}
    for account in wanted:
        if account not in entries:
            raise AccountError(f"there is no account {account}: `manage.py accounts list` shows them")
        found.setdefault(entries[account].shard, []).append(entries[account].number)
    return list(found.items())


def shards_of(accounts: Iterable[str]) -> dict[str, str]:
    """Return the shards of accounts by their ids, of those that there are."""
    return dict(Account.objects.using(ALIAS).filter(id__in=list(accounts)).values_list("id", "shard"))


def ids_of(numbers: Iterable[int]) -> dict[int, str]:
    """Return the ids of accounts by their numbers."""
    return dict(Account.objects.using(ALIAS).filter(number__in=list(numbers)).values_list("number", "id"))


def _ask(commands: list[Command], clock: Clock | None = None) -> None:
    with closing(Store(ALIAS, lent=lent(ALIAS))) as store:
        ask(store, commands, (clock or SystemClock()).wall_ns())
