"""Orders by hand, cancels, flattening, halts: what programs can do."""

from typing import Any

from rest_framework import serializers

from apps.api.doing import Body, Doing, Reason, Turn, by_kind
from apps.api.numbers import Number
from apps.api.resources import system, trading
from apps.api.resources.accounts import account_of
from apps.console import interface as console
from apps.console.interface import Became
from apps.execution.interface import Asked, cancel_order, order_of, place_order
from apps.risk.contracts import TradingState

_STATES = {TradingState.ACTIVE: "activate", TradingState.REDUCING: "reduce", TradingState.HALTED: "halt"}
_IN_FORCE = ("gtc", "day", "ioc", "fok", "gtd")


class NewOrder(Body):
    """An order by hand; a limit, a stop, both, or ("market") neither."""

    account = serializers.CharField(max_length=64)
    instrument = serializers.CharField(max_length=64)
    lots = Number(is_signed=True, help_text="Bought > 0, sold < 0, whole lot steps.")
    limit = Number(required=False)
    stop = Number(required=False)
    time_in_force = serializers.ChoiceField(choices=_IN_FORCE, default="gtc")
    until = serializers.DateTimeField(required=False, help_text="For gtd: until when it works.")
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return what was said, where it goes together. Raises ValidationError."""
        if (attrs["time_in_force"] == "gtd") != ("until" in attrs):
            raise serializers.ValidationError({"until": ["It belongs to gtd, and gtd needs it."]})
        return attrs


class Cancel(Body):
    """Why an order is cancelled, for the record."""

    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class NewState(Reason):
    """What may be traded from now on, and why."""

    state = serializers.ChoiceField(choices=[each.name.lower() for each in _STATES])


class NewSwitch(Reason):
    """Whether the kill switch is to be thrown, and why."""

    is_thrown = serializers.BooleanField()


class PlaceOrder(Doing):
    """Place an order by hand, in the book `manual` of an account. Risk decides on it like on any other."""

    tag = "orders"
    body = NewOrder

    def act(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it."""
        given = turn.given
        account = account_of(turn.caller, given["account"]).account
        asked: list[Asked] = []

        def do() -> tuple[str, dict[str, Any]]:
            until = given["until"].isoformat() if "until" in given else ""
            prices = {name: float(given[name]) for name in ("limit", "stop") if name in given}
            order = order_of(
                given["instrument"], float(given["lots"]), in_force=given["time_in_force"], until=until, **prices
            )
            asked.append(place_order(account, order, request=turn.request_id))
            text = f"Asked: {given['lots']} lots of {given['instrument']} for {account}."
            return text, {name: str(value) for name, value in given.items()}

        subject = f"{account} {given['instrument']}"
        became = console.recorded(turn.actor, "order.place", subject, given["reason"], before=dict, do=do)
        return became, next(iter(asked), None)


class CancelOrder(Doing):
    """Cancel an order that works; what it has filled stays. One that has ended is left as it is."""

    tag = "orders"
    body = Cancel

    def act(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it."""
        account = account_of(turn.caller, place["account"]).account
        instrument, decision = place["instrument"], place["decision"]
        asked: list[Asked] = []

        def do() -> tuple[str, dict[str, Any]]:
            asked.append(cancel_order(account, instrument, decision, request=turn.request_id))
            return f"Asked: order {decision} of {account} in {instrument} does no more.", {}

        subject = f"{account} {instrument} {decision}"
        became = console.recorded(turn.actor, "order.cancel", subject, turn.given["reason"], before=dict, do=do)
        return became, next(iter(asked), None)


class Flatten(Doing):
    """Close all that an account holds, and hold it at zero until it is resumed."""

    tag = "accounts"

    def act(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it."""
        return by_kind(turn, "account.flatten", account=account_of(turn.caller, place["account"]).account)


class Resume(Doing):
    """Let an account trade again that was flattened."""

    tag = "accounts"

    def act(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it."""
        return by_kind(turn, "account.resume", account=account_of(turn.caller, place["account"]).account)


class SetAccountState(Doing):
    """Halt an account, let its positions only shrink, or let it trade within its limits."""

    tag = "risk"
    post_scope = "operate"
    is_firm_only = True
    body = NewState

    def act(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it."""
        account = account_of(turn.caller, place["account"]).account
        return by_kind(turn, f"account.{_verb(turn)}", account=account)


class SetState(Doing):
    """Halt all trading, let positions only shrink, or lift the halt."""

    tag = "risk"
    post_scope = "operate"
    is_firm_only = True
    body = NewState

    def act(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it."""
        return by_kind(turn, f"trading.{_verb(turn)}")


class SetSwitch(Doing):
    """Throw the kill switch of this machine, or lift it."""

    tag = "risk"
    post_scope = "operate"
    is_firm_only = True
    body = NewSwitch

    def act(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it."""
        return by_kind(turn, f"kill-switch.{'throw' if turn.given['is_thrown'] else 'lift'}")


class Orders(PlaceOrder, trading.Orders):
    """Orders, listed and placed."""

    scope = "read"


class TradingStates(SetState, system.TradingStates):
    """Trading states, listed and set for all."""

    scope = "read"


class KillSwitch(SetSwitch, system.KillSwitch):
    """The kill switch, shown and thrown."""

    scope = "read"


def _verb(turn: Turn) -> str:
    return _STATES[TradingState[turn.given["state"].upper()]]
