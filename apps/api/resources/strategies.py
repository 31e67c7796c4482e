"""Strategies, sets and stored runs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from apps.api import asking
from apps.api.access import Caller
from apps.api.problems import Problem
from apps.api.rows import Moment, Row
from apps.api.views import Listing, Page, Thing
from apps.backtest import interface as backtest
from apps.signals import interface as signals
from trading.intervals import format_interval


class NameRow(Row):
    """A strategy that is shipped."""

    name = serializers.CharField()


class ParameterRow(Row):
    """A parameter, with its bounds, or the words that it can be."""

    name = serializers.CharField()
    type = serializers.CharField(help_text="int, float or choice")
    default = serializers.CharField()
    low = serializers.CharField(allow_null=True)
    high = serializers.CharField(allow_null=True)
    choices = serializers.ListField(child=serializers.CharField(), allow_null=True)
    doc = serializers.CharField()


class StrategyRow(Row):
    """A strategy: what it does, and its parameters."""

    name = serializers.CharField()
    doc = serializers.CharField()
    kind = serializers.CharField(help_text="kernel or class")
    channels = serializers.IntegerField(allow_null=True, help_text="How many it takes; null: any number.")
    sizing = serializers.CharField()
    code_hash = serializers.CharField()
    parameters = ParameterRow(many=True)


class ChannelRow(Row):
    """An instrument at an interval."""

    instrument = serializers.CharField()
    interval = serializers.CharField()


class MemberRow(Row):
    """A strategy in a set, and its share of it."""

    strategy = serializers.CharField()
    share = serializers.CharField()
    parameters = serializers.DictField()
    channels = ChannelRow(many=True)
    code_hash = serializers.CharField()


class SetRow(Row):
    """A strategy set: not started, not run, running, paused, restarting or parked."""

    name = serializers.CharField()
    state = serializers.CharField()
    feeds = serializers.ListField(child=serializers.CharField())
    defined_at = Moment(allow_null=False)
    starts = serializers.IntegerField()
    megabytes = serializers.IntegerField()
    problem = serializers.CharField()
    members = MemberRow(many=True)


class RunRow(Row):
    """A stored backtest; metrics are numbers as they were computed."""

    id = serializers.CharField()
    created_at = Moment(allow_null=False)
    kind = serializers.CharField()
    strategy = serializers.CharField()
    instruments = serializers.ListField(child=serializers.CharField())
    interval = serializers.CharField()
    first_bar = Moment(allow_null=False)
    last_bar = Moment(allow_null=False)
    bars = serializers.IntegerField()
    parameters = serializers.DictField()
    options = serializers.DictField()
    metrics = serializers.DictField()
    code_hash = serializers.CharField()
    data_hash = serializers.CharField()


class Strategies(Listing):
    """List the strategies that are shipped."""

    tag = "strategies"
    row = NameRow
    is_firm_only = True

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        return Page([{"name": name} for name in signals.list_strategies()])


class Strategy(Thing):
    """Show a strategy with its parameters."""

    tag = "strategies"
    row = StrategyRow
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it; only shipped ones, so that no address names a file."""
        if place["strategy"] not in signals.list_strategies():
            return None
        found = signals.get_strategy(place["strategy"])
        parameters = [
            {
                "name": each.name,
                "type": type(each).__name__.lower(),
                "default": str(each.default),
                "low": None if each.low is None else str(each.low),
                "high": None if each.high is None else str(each.high),
                "choices": each.choices,
                "doc": each.doc,
            }
            for each in found.parameters
        ]
        names = ("name", "doc", "kind", "channels", "sizing", "code_hash")
        return {name: getattr(found, name) for name in names} | {"parameters": parameters}


class Sets(Listing):
    """List the strategy sets, what is in each, and how it is."""

    tag = "strategies"
    row = SetRow
    is_firm_only = True

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        return Page([_told(each) for each in signals.set_standings()])


class Set(Thing):
    """Show a strategy set."""

    tag = "strategies"
    row = SetRow
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return next((_told(each) for each in signals.set_standings() if each.name == place["set"]), None)


class Runs(Listing):
    """List stored backtests, newest first."""

    tag = "research"
    scope = "research"
    row = RunRow
    is_firm_only = True
    kinds = (str, int)
    parameters = (asking.text("strategy", "Only of this strategy."),)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        found = backtest.stored_runs(asked["strategy"], most + 1, (moment_of(after[0]), after[1]) if after else None)
        last = found[most - 1].place if len(found) > most else None
        return Page(found[:most], (last[0].isoformat(), last[1]) if last else None)


class Run(Thing):
    """Show a stored backtest."""

    tag = "research"
    scope = "research"
    row = RunRow
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return backtest.stored_run(place["run"])


def moment_of(text: str) -> datetime:
    """Return the time in a cursor. Raises Problem for what is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Problem("cursor-invalid") from None


def member_told(member: Any) -> dict[str, Any]:
    """Return a member of a set as it is answered."""
    return {
        "strategy": member.strategy,
        "share": f"{member.share_e9 / 1e9:g}",
        "parameters": member.parameters,
        "channels": [
            {"instrument": channel.instrument, "interval": format_interval(channel.interval_ns)}
            for channel in member.channels
        ],
        "code_hash": member.code_hash,
    }


def _told(standing: signals.SetStanding) -> dict[str, Any]:
    members = [member_told(each) for each in standing.definition.members]
    return standing._asdict() | {"members": members, "megabytes": round(standing.megabytes)}
