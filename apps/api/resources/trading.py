"""Orders, fills, positions, profit, and why something was not done."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from apps.api import asking
from apps.api.access import Caller
from apps.api.deprecation import deprecates, since
from apps.api.problems import Problem
from apps.api.rendering import Pdf
from apps.api.rows import Amount, Row, Time
from apps.api.statements import Statement, pdf_of
from apps.api.tenancy import scope_of
from apps.api.versions import VERSION
from apps.api.views import Listing, Page, Thing, cut
from apps.execution.interface import Asked, record_of, shards_of
from apps.reporting import interface as reporting
from apps.reporting.interface import BY, ORDER_STATES

PRICE_PLACES = LOT_PLACES = 9
PRINTED_MAX = 2_000
_OF_ACCOUNTS = (asking.text("client", "Only of this client."), asking.text("account", "Only of this account."))
_OF_ROWS = (
    *_OF_ACCOUNTS,
    asking.text("set", "Only of this strategy set, or of the book manual or external."),
    asking.text("instrument", "Only in this instrument."),
)
_IN_TIME = (asking.day("day", "Only of this day, in the account's zone."), asking.SINCE, asking.UNTIL)


class OrderRow(Row):
    """An order. Lots are signed, bought > 0; `price` is the average of its fills; `state` is FIX's name."""

    account = serializers.CharField()
    instrument = serializers.CharField()
    decision = serializers.IntegerField(help_text="The number of the order among those of the account and instrument.")
    set = serializers.CharField()
    lots = Amount(LOT_PLACES)
    filled = Amount(LOT_PLACES)
    price = Amount(PRICE_PLACES)
    fee = Amount(allow_null=False)
    state = serializers.CharField()
    why = serializers.CharField(help_text="In words, why it ended unfilled.")
    decided_at = Time(source="decided_at_ns", help_text="The close of the bar that decided.")
    signalled_at = Time(source="signalled_at_ns")
    requested_at = Time(source="requested_at_ns", allow_null=False)
    approved_at = Time(source="approved_at_ns")
    sent_at = Time(source="sent_at_ns")
    accepted_at = Time(source="accepted_at_ns")
    unknown_at = Time(source="unknown_at_ns")
    first_fill_at = Time(source="first_fill_ns")
    last_fill_at = Time(source="last_fill_ns")
    ended_at = Time(source="ended_at_ns")


class HappeningRow(Row):
    """Something that happened to an order."""

    at = Time(source="at_ns", allow_null=False)
    what = serializers.CharField()


class GivenRow(Row):
    """A setting that an order was sized by, and the level that gave it."""

    name = serializers.CharField()
    value = serializers.CharField()
    level = serializers.CharField()


@deprecates(book=since(2026, 11, 27))
class FillRow(Row):
    """Lots that a book got or gave; money in the account's currency. `book` is what `set` is, by its older name."""

    filled_at = Time(source="filled_at_ns", allow_null=False)
    account = serializers.CharField()
    instrument = serializers.CharField()
    decision = serializers.IntegerField(help_text="Of the order; 0: there was none.")
    set = serializers.CharField(source="book")
    book = serializers.CharField()
    kind = serializers.CharField(help_text="filled, crossed, outside or reconciled")
    lots = Amount(LOT_PLACES)
    price = Amount(PRICE_PLACES)
    amount = Amount(allow_null=False)
    fee = Amount(allow_null=False)
    realised = Amount(allow_null=False)
    execution_id = serializers.CharField()


class OrderDetail(OrderRow):
    """An order with its life: what happened when, its fills, and the settings that it was sized by."""

    timeline = HappeningRow(many=True)
    fills = FillRow(many=True)
    settings = GivenRow(many=True)


class PositionRow(Row):
    """What a book of an account holds. `close` is in the currency of the instrument, all else in the account's."""

    account = serializers.CharField()
    set = serializers.CharField()
    instrument = serializers.CharField()
    currency = serializers.CharField()
    lots = Amount(LOT_PLACES)
    price = Amount(PRICE_PLACES, help_text="What a unit has cost.")
    close = Amount(PRICE_PLACES)
    value = Amount()
    unrealised = Amount()
    realised = Amount(allow_null=False)
    fees = Amount(allow_null=False)


class RefusalRow(Row):
    """An order that was refused: by risk, the edge or the venue, and why."""

    refused_at = Time(source="refused_at_ns", allow_null=False)
    account = serializers.CharField()
    instrument = serializers.CharField()
    decision = serializers.IntegerField()
    set = serializers.CharField()
    by = serializers.CharField()
    reason = serializers.CharField()
    level = serializers.CharField(help_text="At which the limit was set.")
    words = serializers.CharField(help_text="A sentence, with the limit and the value.")


class SkipRow(Row):
    """A target that gave an account no order, and why."""

    skipped_at = Time(source="skipped_at_ns", allow_null=False)
    account = serializers.CharField()
    set = serializers.CharField()
    instrument = serializers.CharField()
    reason = serializers.CharField()
    level = serializers.CharField(help_text="Of the setting that said so.")
    words = serializers.CharField()


class PnlRow(Row):
    """Profit of a group, in one currency: total = realised + unrealised + swap + dividends - fees.

    What was not asked for by `by` is null; unrealised and total are null where a price is missing.
    """

    account = serializers.CharField(allow_null=True)
    set = serializers.CharField(allow_null=True)
    instrument = serializers.CharField(allow_null=True)
    day = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    fills = serializers.IntegerField()
    realised = Amount(allow_null=False)
    unrealised = Amount()
    swap = Amount(allow_null=False)
    dividends = Amount(allow_null=False)
    fees = Amount(allow_null=False)
    total = Amount()


class Orders(Listing):
    """List orders."""

    tag = "orders"
    is_versioned = True
    row = OrderRow
    kinds = (int, str, str, int)
    sorts = ("-requested_at", "requested_at")
    parameters = (*_OF_ROWS, asking.choice("state", tuple(ORDER_STATES), "Only in this state."), *_IN_TIME, VERSION)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        version: Asked | None = asked["version"]
        record = None if version is None else record_of(version)
        if version is not None and record is None:
            return Page([])
        scope = scope_of(caller, asked if record is None else {**asked, **_at(record.received_at_ns, asked)})
        found = reporting.orders(scope, most + 1, state=asked["state"], before=after, is_rising=_is_rising(asked))
        last = reporting.place_of(found[most - 1]) if len(found) > most else None
        rows = found[:most]
        if version is not None and record is not None:
            shards = shards_of({each.account for each in rows})
            rows = [each for each in rows if (each.number, shards.get(each.account)) == (record.number, version.shard)]
        return Page(reporting.with_reasons(rows), last)


class Order(Thing):
    """Show an order and its life."""

    tag = "orders"
    is_versioned = True
    row = OrderDetail

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        scope = scope_of(caller, {}, account=place["account"], instrument=place["instrument"])
        found = reporting.order(scope, place["decision"])
        if found is None:
            return None
        (order,) = reporting.with_reasons([found])
        fills = reporting.fills_of(found)
        return order._asdict() | {
            "timeline": reporting.timeline(found, fills),
            "fills": [each for _, each in fills],
            "settings": reporting.settings_of(found),
        }


class Fills(Listing):
    """List fills."""

    tag = "orders"
    is_versioned = True
    row = FillRow
    kinds = (int, str, int, int, int, int)
    sorts = ("-filled_at", "filled_at")
    parameters = (*_OF_ROWS, *_IN_TIME)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        return cut(reporting.fills_from(scope_of(caller, asked), most + 1, after, is_rising=_is_rising(asked)), most)


class Refusals(Listing):
    """List orders that were refused."""

    tag = "orders"
    is_versioned = True
    row = RefusalRow
    kinds = (int, str, int, str, str, int)
    sorts = ("-refused_at", "refused_at")
    parameters = (*_OF_ROWS, *_IN_TIME)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        found = reporting.refusals_from(scope_of(caller, asked), most + 1, after, is_rising=_is_rising(asked))
        told = [(at, row._asdict() | {"words": reporting.refusal_in_words(row)}) for at, row in found]
        return cut(told, most)


class Skips(Listing):
    """List targets that gave accounts no order."""

    tag = "orders"
    is_versioned = True
    row = SkipRow
    kinds = (int, str, int, int, str, str)
    sorts = ("-skipped_at", "skipped_at")
    parameters = (*_OF_ROWS, *_IN_TIME)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        found = reporting.skips_from(scope_of(caller, asked), most + 1, after, is_rising=_is_rising(asked))
        told = [(at, row._asdict() | {"words": reporting.skip_in_words(row.reason)}) for at, row in found]
        return cut(told, most)


class Positions(Listing):
    """List what books hold, by account, set and instrument."""

    tag = "positions"
    is_versioned = True
    row = PositionRow
    kinds = (str, str, str)
    parameters = (*_OF_ROWS, asking.yes("open", "Only what is held now."))

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        found = reporting.positions(scope_of(caller, asked), most + 1, after, only_open=asked["open"])
        return cut([((each.account, each.set, each.instrument), each) for each in found], most)


class Pnl(Listing):
    """Tell profit by account, set, instrument or day; by day of one account it is that account's statement.

    A PDF has all rows, whatever `limit`, `cursor` and `fields` say.
    """

    tag = "positions"
    is_versioned = True
    row = PnlRow
    kinds = (str,)
    parameters = (
        asking.several("by", BY, "What to tell it by.", default=("account",)), *_OF_ROWS,
        asking.day("day", "Only of this day, in the account's zone."),
    )  # fmt: skip

    renderer_classes = (*Listing.renderer_classes, Pdf)

    @classmethod
    def answers(cls) -> dict[str, Any]:
        """Return what is answered, by its media type."""
        return {**super().answers(), Pdf.media_type: OpenApiTypes.BINARY}

    def get(self, request: Request, **place: Any) -> Any:
        """Answer with a page, or as a PDF with all of it."""
        if request.accepted_renderer.format != Pdf.format:
            return super().get(request, **place)
        asked = self.asked(request)
        scope = scope_of(request.user, asked)
        found = reporting.pnl(scope, asked["by"], PRINTED_MAX + 1)
        if len(found) > PRINTED_MAX:
            raise Problem("too-much", f"A statement has {PRINTED_MAX:,} rows at most.")
        of = scope_of(request.user, {}, account=asked["account"])
        account = reporting.account(of) if asked["account"] else None
        limits = [f"{name} {asked[name]}" for name in ("client", "account", "set", "instrument", "day") if asked[name]]
        content = pdf_of(Statement(asked["by"], limits, found, account), timezone.now())
        headers = {"Content-Disposition": 'attachment; filename="statement.pdf"'}
        return HttpResponse(content, content_type=Pdf.media_type, headers=headers)

    def kinds_of(self, asked: Mapping[str, Any]) -> tuple[type, ...]:
        """Return what a place consists of: the group, and the currency."""
        return (str,) * (len(asked["by"]) + 1)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of it."""
        by = asked["by"]
        group = (after[:-1], after[-1]) if after else None
        found = reporting.pnl(scope_of(caller, asked), by, most + 1, group)
        told = [
            ((*each.group, each.currency), dict.fromkeys(BY) | dict(zip(by, each.group, strict=True)) | each._asdict())
            for each in found
        ]
        return cut(told, most)


def _at(at_ns: int, asked: Mapping[str, Any]) -> dict[str, int]:
    """Return a query's bounds of time, for what was requested at one time alone."""
    since_ns, until_ns = (asked[name] for name in ("since", "until"))
    return {"since": max(at_ns, since_ns or 0), "until": min(at_ns + 1, at_ns + 1 if until_ns is None else until_ns)}


def _is_rising(asked: Mapping[str, Any]) -> bool:
    return not asked["sort"].startswith("-")
