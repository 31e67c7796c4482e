"""Settings and limits at the levels at which they are given, read and replaced as a whole."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.api.access import Caller
from apps.api.doing import Body, Replacing, Turn
from apps.api.numbers import Number
from apps.api.resources.accounts import account_of
from apps.api.rows import Row, fields_of
from apps.api.versions import wait_for_record
from apps.console import interface as console
from apps.console.interface import Became
from apps.execution import interface as execution
from apps.execution.book_contracts import ConfigureAccount
from apps.execution.contracts import Subscribe
from apps.execution.interface import Asked
from apps.feeds import interface as feeds
from apps.reporting import interface as reporting
from apps.reporting.interface import FoundAccount
from apps.risk import interface as risk
from apps.risk.contracts import Limits
from apps.signals import interface as signals

_NAMES_MAX = 500


class SetLevelRow(Row):
    """Settings for all who follow a set; null: their default holds."""

    sizing = serializers.CharField(allow_null=True)
    multiplier = serializers.CharField(allow_null=True)
    lots_max = serializers.CharField(allow_null=True)
    below_min = serializers.CharField(allow_null=True)
    reverse = serializers.BooleanField(allow_null=True)
    close_only = serializers.BooleanField(allow_null=True)


class LevelRow(SetLevelRow):
    """Settings of a level; null: it leaves that to the level before."""

    instruments = serializers.ListField(child=serializers.CharField(), allow_null=True)


class SubscriptionLevelRow(LevelRow):
    """How an account follows a set."""

    is_active = serializers.BooleanField()
    allocation = serializers.CharField()
    join = serializers.CharField()
    symbols = serializers.DictField(child=serializers.CharField())


class NewSetLevel(Body):
    """Settings for all who follow a set: all that it gives; null, or left out: their default holds."""

    sizing = serializers.CharField(required=False, allow_null=True, max_length=40, help_text="Such as vol:15.")
    multiplier = Number(required=False, allow_null=True)
    lots_max = Number(required=False, allow_null=True)
    below_min = serializers.ChoiceField(choices=("skip", "round-up"), required=False, allow_null=True)
    reverse = serializers.BooleanField(required=False, allow_null=True)
    close_only = serializers.BooleanField(required=False, allow_null=True)
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class NewLevel(NewSetLevel):
    """Settings of a level: all that it gives; null, or left out: it leaves that to the level before."""

    instruments = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, allow_null=True, max_length=_NAMES_MAX,
        help_text="The only ones that may be traded.",
    )  # fmt: skip


class NewSubscription(NewLevel):
    """How an account is to follow a set, all of it."""

    is_active = serializers.BooleanField(default=True)
    allocation = Number(default="1", help_text="The share of equity, such as 0.5.")
    join = serializers.ChoiceField(choices=("next-change", "converge"), default="next-change")
    symbols = serializers.DictField(
        child=serializers.CharField(max_length=64), default=dict, help_text="What is traded for an instrument."
    )


class LimitsRow(Row):
    """Limits that were set at a level, as `manage.py risk limit` writes them."""

    limits = serializers.DictField(child=serializers.CharField())


class NewLimits(Body):
    """All limits of a level; what is left out is not limited there."""

    limits = serializers.DictField(child=serializers.CharField(max_length=40))
    reason = serializers.CharField(min_length=1, max_length=500)


class AccountSettings(Replacing):
    """What is set at an account for all that it follows, with what was asked for and waits."""

    tag = "accounts"
    row = LevelRow
    body = NewLevel

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return _account_level(account_of(caller, place["account"]), is_exact=False)

    def current(self, caller: Caller, **place: Any) -> Any:
        """Return it, exactly as it is."""
        return _account_level(account_of(caller, place["account"]), is_exact=True)

    def replace(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it."""
        account = account_of(turn.caller, place["account"]).account
        done: list[Asked] = []

        def do() -> tuple[str, dict[str, Any]]:
            terms = execution.account_settings(turn.given)
            _check_names(terms.instruments or ())
            done.extend(execution.configure_accounts([(account, terms)], request=turn.request_id))
            return f"Asked: settings of {account}.", execution.in_words(terms)

        before = lambda: self.find(turn.caller, {}, account=account)  # noqa: E731
        became = console.recorded(turn.actor, "account.configure", account, turn.given["reason"], before=before, do=do)
        return became, next(iter(done), None)


class SetSettings(Replacing):
    """What holds for all who follow a set, where neither they nor their account say otherwise."""

    tag = "strategies"
    is_firm_only = True
    post_scope = "operate"
    row = SetLevelRow
    body = NewSetLevel

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        try:
            signals.get_set(place["set"])
        except signals.SetError:
            return None
        return _set_level(execution.level_of_followers(place["set"]))

    def replace(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        name = place["set"]

        def do() -> tuple[str, dict[str, Any]]:
            level = execution.followers_level(turn.given)
            execution.configure_followers(name, level)
            return f"Asked every shard: what holds for all who follow {name}.", _set_level(level)

        before = lambda: self.find(turn.caller, {}, set=name)  # noqa: E731
        became = console.recorded(turn.actor, "set.configure", name, turn.given["reason"], before=before, do=do)
        return became, None


class Subscription(Replacing):
    """How an account follows a set; where it never did, what it would be."""

    tag = "accounts"
    is_firm_only = True
    post_scope = "operate"
    row = SubscriptionLevelRow
    body = NewSubscription

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return _subscription(account_of(caller, place["account"]), place["set"], is_exact=False)

    def current(self, caller: Caller, **place: Any) -> Any:
        """Return it, exactly as it is."""
        return _subscription(account_of(caller, place["account"]), place["set"], is_exact=True)

    def replace(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it."""
        account, name = account_of(turn.caller, place["account"]).account, place["set"]
        done: list[Asked] = []

        def do() -> tuple[str, dict[str, Any]]:
            terms = execution.subscription(name, turn.given)
            _check_names([*(terms.instruments or ()), *terms.symbols, *terms.symbols.values()])
            done.append(execution.follow(account, terms, request=turn.request_id))
            return f"Asked: how {account} follows {name}.", execution.in_words(terms)

        before = lambda: self.find(turn.caller, {}, account=account, set=name)  # noqa: E731
        became = console.recorded(
            turn.actor, "account.subscribe", f"{account} {name}", turn.given["reason"], before=before, do=do
        )
        return became, next(iter(done), None)


class _Limits(Replacing):
    """Limits of a level: `about` names whose they are, as the path has it."""

    tag = "risk"
    is_firm_only = True
    post_scope = "operate"
    row = LimitsRow
    body = NewLimits

    def _limits(self, turn: Turn, *, account: str = "", instrument: str = "") -> tuple[Became, None]:
        def do() -> tuple[str, dict[str, Any]]:
            written = turn.given["limits"]
            limits = risk.limits_changed(Limits(), [f"{name}={value}" for name, value in written.items()], instrument)
            risk.set_limits(limits, account=account, instrument=instrument, reason=_why(turn), request=turn.request_id)
            return f"Asked: limits of {whose}.", {"limits": written}

        whose = account or instrument or "all"
        became = console.recorded(
            turn.actor,
            "risk.limits",
            whose,
            turn.given["reason"],
            before=lambda: _set_limits(account, instrument),
            do=do,
        )
        return became, None


class AllLimits(_Limits):
    """Limits that were set for all accounts."""

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return them."""
        return _set_limits()

    def replace(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        return self._limits(turn)


class LimitsOfAccount(_Limits):
    """Limits that were set for an account."""

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return them."""
        return _set_limits(account=account_of(caller, place["account"]).account)

    def replace(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        return self._limits(turn, account=account_of(turn.caller, place["account"]).account)


class LimitsOfInstrument(_Limits):
    """Limits that were set for an instrument, in whichever account."""

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return them."""
        try:
            return _set_limits(instrument=feeds.get_instrument(place["instrument"]).id)
        except feeds.InstrumentNotFound:
            return None

    def replace(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        return self._limits(turn, instrument=feeds.get_instrument(place["instrument"]).id)


def _asked_last(of: FoundAccount, set_name: str, *, is_exact: bool) -> Any:
    """Return what was asked last, whether it is applied or waits.

    What does not wait any more is in the shard's log: an exact answer is given when reporting has read that far.
    """
    waiting = execution.settings_waiting(of.account, set_name)
    if waiting.settings is not None:
        return waiting.settings
    if is_exact:
        wait_for_record(waiting.shard, waiting.number)
    return reporting.setting_of(of, set_name)


def _set_level(level: Mapping[str, Any]) -> dict[str, Any]:
    told = execution.in_words(ConfigureAccount(account=0, **level))
    return {name: told[name] for name in fields_of(SetLevelRow)}


def _account_level(of: FoundAccount, *, is_exact: bool) -> dict[str, Any]:
    return execution.in_words(_asked_last(of, "", is_exact=is_exact) or execution.account_settings({}))


def _subscription(of: FoundAccount, name: str, *, is_exact: bool) -> dict[str, Any] | None:
    found = _asked_last(of, name, is_exact=is_exact)
    if found is None:
        try:
            signals.get_set(name)
        except signals.SetError:
            return None
        found = Subscribe(account=0, set=name, is_active=False)
    return execution.in_words(found)


def _set_limits(account: str = "", instrument: str = "") -> dict[str, dict[str, str]]:
    return {"limits": risk.limits_words(risk.limits_asked_for(account, instrument), instrument)}


def _why(turn: Turn) -> str:
    return f"{turn.actor.name}: {turn.given['reason']}"


def _check_names(instruments: Any) -> None:
    for name in instruments:
        feeds.get_instrument(name)
