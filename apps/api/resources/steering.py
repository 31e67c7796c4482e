"""Strategy sets, made, replaced, started and paused."""

import math
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.access import Caller
from apps.api.doing import Body, Doing, Replacing, Turn
from apps.api.resources import strategies
from apps.api.resources.strategies import ChannelRow, MemberRow, member_told
from apps.api.rows import Row
from apps.console import interface as console
from apps.console.interface import Became
from apps.signals import interface as signals
from apps.signals.interface import NewMember
from trading.intervals import format_interval

_MEMBERS_MAX, _CHANNELS_MAX = 50, 50


@extend_schema_field({"oneOf": [{"type": "number"}, {"type": "string", "maxLength": 100}]})
class Setting(serializers.Field):
    """The value of a parameter: a number or a word."""

    def to_internal_value(self, data: Any) -> int | float | str:
        """Return it. Raises ValidationError."""
        if isinstance(data, str) and len(data) <= 100:
            return data
        if isinstance(data, int | float) and not isinstance(data, bool) and math.isfinite(data):
            return data
        raise serializers.ValidationError("Give a number, or a word of at most 100 characters.")


class NewChannel(Body):
    """An instrument at an interval."""

    instrument = serializers.CharField(max_length=64)
    interval = serializers.CharField(max_length=16, help_text="Such as 1h.")


class NewSetMember(Body):
    """A strategy to put into a set, and its share of it."""

    strategy = serializers.CharField(max_length=64, help_text="One of /strategies.")
    share = serializers.FloatField(default=1.0, min_value=0.0, max_value=1.0)
    parameters = serializers.DictField(child=Setting(), default=dict, help_text="Those that are not the default.")
    channels = NewChannel(many=True, allow_empty=False, max_length=_CHANNELS_MAX)


class NewDefinition(Body):
    """What a set is to hold, all of it, and why."""

    members = NewSetMember(many=True, allow_empty=False, max_length=_MEMBERS_MAX)
    conversions = NewChannel(many=True, default=list, max_length=_CHANNELS_MAX)
    grace_seconds = serializers.FloatField(default=1.0, min_value=0.0, max_value=3600.0)
    warms_up = serializers.BooleanField(default=True)
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class NewSet(NewDefinition):
    """A new set, and what it is to hold."""

    name = serializers.CharField(max_length=64, help_text="Small letters, digits, dots, dashes and underscores.")


class DefinitionRow(Row):
    """What a set holds: its strategies, pairs of currencies for rates, and how long it waits for a late bar."""

    members = MemberRow(many=True)
    conversions = ChannelRow(many=True)
    grace_seconds = serializers.FloatField()
    warms_up = serializers.BooleanField()


class DefineSet(Doing):
    """Make a strategy set. It gives nothing until it is started."""

    tag = "strategies"
    post_scope = "operate"
    is_firm_only = True
    body = NewSet

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        name = turn.given["name"]

        def do() -> tuple[str, dict[str, Any]]:
            _refuse_known(name)
            return _defined(name, turn.given)

        return console.recorded(turn.actor, "set.define", name, turn.given["reason"], before=dict, do=do), None


class StartSet(Doing):
    """Let a set give targets. One that was parked begins anew, as it is defined now."""

    tag = "strategies"
    post_scope = "operate"
    is_firm_only = True

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        return _run(turn, place["set"], "set.start", signals.start_set, "gives targets"), None


class PauseSet(Doing):
    """Let a set give no targets; it follows its bars."""

    tag = "strategies"
    post_scope = "operate"
    is_firm_only = True

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        return _run(turn, place["set"], "set.pause", signals.pause_set, "gives no targets"), None


class Definition(Replacing):
    """What a set holds; replaced, it goes on with the new definition as its next version."""

    tag = "strategies"
    post_scope = "operate"
    is_firm_only = True
    row = DefinitionRow
    body = NewDefinition

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        try:
            found = signals.get_set(place["set"])
        except signals.SetError:
            return None
        return {
            "members": [member_told(each) for each in found.members],
            "conversions": [
                {"instrument": each.instrument, "interval": format_interval(each.interval_ns)}
                for each in found.conversions
            ],
            "grace_seconds": found.grace_ns / 1e9,
            "warms_up": found.warms_up,
        }

    def replace(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        name = place["set"]
        became = console.recorded(
            turn.actor, "set.replace", name, turn.given["reason"],
            before=lambda: self.find(turn.caller, {}, set=name), do=lambda: _defined(name, turn.given),
        )  # fmt: skip
        return became, None


class Sets(DefineSet, strategies.Sets):
    """Strategy sets, listed and made."""

    scope = "read"


def _run(turn: Turn, name: str, act: str, do: Any, told: str) -> Became:
    def done() -> tuple[str, dict[str, Any]]:
        do(name)
        return f"Asked: set {name} {told}.", {}

    return console.recorded(turn.actor, act, name, turn.given["reason"], before=dict, do=done)


def _refuse_known(name: str) -> None:
    try:
        signals.get_set(name)
    except signals.SetError:
        return
    raise signals.SetError(f"there is a set {name} already: PUT sets/{name}/definition replaces what it holds")


def _defined(name: str, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    shipped = signals.list_strategies()
    for member in given["members"]:
        if member["strategy"] not in shipped:  # so that no call names a file
            raise signals.SetError(f"set {name}: there is no strategy {member['strategy']} among those of /strategies")
    sent = signals.define_set(
        name,
        [
            NewMember(each["strategy"], _channels(each["channels"]), each["parameters"], each["share"])
            for each in given["members"]
        ],
        conversions=_channels(given["conversions"]),
        grace_seconds=given["grace_seconds"],
        warms_up=given["warms_up"],
    )
    held = [member_told(each) for each in sent.members]
    return f"Set {name} holds {', '.join(each.strategy for each in sent.members)}.", {"members": held}


def _channels(given: Any) -> list[tuple[str, str]]:
    return [(each["instrument"], each["interval"]) for each in given]
