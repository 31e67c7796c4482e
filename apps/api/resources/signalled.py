"""Signals of strategy sets, and what became of each."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.api import asking
from apps.api.access import Caller
from apps.api.rows import Amount, Row, Time
from apps.api.tenancy import scope_of
from apps.api.views import Listing, Page, Thing, cut
from apps.reporting import interface as reporting

_PLACES = 9


class TargetRow(Row):
    """What a signal wants of an instrument, the same for every account: `value` is a share of equity, or lots."""

    instrument = serializers.CharField()
    version = serializers.IntegerField()
    mode = serializers.CharField(help_text="weight or lots")
    value = Amount(_PLACES, allow_null=False)
    entry = serializers.CharField(help_text="market, limit, stop or stop limit")
    price = Amount(_PLACES)
    limit_price = Amount(_PLACES)
    stop_loss = Amount(_PLACES)
    take_profit = Amount(_PLACES)
    trail = Amount(_PLACES, help_text="A distance in price.")


class SignalRow(Row):
    """What a set said at once; `number` is that of its record in the set's log."""

    said_at = Time(source="said_at_ns", allow_null=False)
    set = serializers.CharField()
    number = serializers.IntegerField()
    set_version = serializers.IntegerField()
    decided_at = Time(source="decided_at_ns", help_text="The close of the bar that decided.")
    targets = TargetRow(many=True)


class CountRow(Row):
    """A reason, and how many orders or accounts had it."""

    reason = serializers.CharField()
    count = serializers.IntegerField()


class SignalDetail(SignalRow):
    """A signal, and what has become of it: orders by how they stand, and accounts that it gave none."""

    orders = serializers.IntegerField()
    working = serializers.IntegerField()
    filled = serializers.IntegerField()
    refused = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    unknown = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="Accounts that it gave no order.")
    refusals = CountRow(many=True)
    skips = CountRow(many=True)


class Signals(Listing):
    """List the signals of sets."""

    tag = "strategies"
    row = SignalRow
    is_firm_only = True
    kinds = (int, str, int, int)
    sorts = ("-said_at", "said_at")
    parameters = (
        asking.text("set", "Only of this strategy set."), asking.text("instrument", "Only with this instrument."),
        asking.SINCE, asking.UNTIL,
    )  # fmt: skip

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        is_rising = not asked["sort"].startswith("-")
        return cut(reporting.signals_from(scope_of(caller, asked), most + 1, after, is_rising=is_rising), most)


class Signal(Thing):
    """Show a signal, and what has become of it."""

    tag = "strategies"
    row = SignalDetail
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        said = reporting.signal(place["set"], place["number"])
        if said is None:
            return None
        outcome = reporting.outcome_of(said)
        reasons = {
            name: [{"reason": reason, "count": count} for reason, count in getattr(outcome, name)]
            for name in ("refusals", "skips")
        }
        return said._asdict() | outcome._asdict() | reasons
