"""Accounts: what they are worth, follow and may do."""

import time
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.api import asking
from apps.api.access import Caller
from apps.api.problems import Problem
from apps.api.rows import Amount, Row, Time
from apps.api.tenancy import scope_of
from apps.api.views import Listing, Page, Thing, cut
from apps.reporting import interface as reporting
from apps.reporting.interface import FoundAccount

_WEEK_NS = 7 * 86_400 * 10**9
_ORDERS_MAX = 500


class AccountRow(Row):
    """An account, in its currency, as it was last valued."""

    account = serializers.CharField()
    client = serializers.CharField()
    broker = serializers.CharField()
    currency = serializers.CharField()
    balance = Amount(allow_null=False)
    equity = Amount(allow_null=False)
    margin = Amount(allow_null=False)
    valued_at = Time(source="valued_at_ns")


class PointRow(Row):
    """What an account was worth at a time."""

    at = Time(source="at_ns", allow_null=False)
    equity = Amount(allow_null=False)


class SettingRow(Row):
    """A setting that is in force for what an account follows, and the level that gave it; empty: none did."""

    set = serializers.CharField()
    name = serializers.CharField()
    value = serializers.CharField()
    level = serializers.CharField()


class SubscriptionRow(Row):
    """A set that an account follows, the share of equity that it is given, and when it began to trade."""

    set = serializers.CharField()
    allocation = serializers.CharField()
    join = serializers.CharField()


class RestrictionRow(Row):
    """Something that keeps an account from trading freely."""

    level = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField()
    changed_at = Time(source="changed_at_ns", allow_null=False)
    is_by_loss = serializers.BooleanField(source="is_stop")


class Accounts(Listing):
    """List accounts: those whose id or client begins with what is looked for come first, then by id."""

    tag = "accounts"
    is_versioned = True
    row = AccountRow
    kinds = (int, str)
    parameters = (asking.text("client", "Only of this client."), asking.text("q", "What the id or client has in it."))

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        found = reporting.find_accounts(scope_of(caller, asked), asked["q"], after, most + 1)
        return cut([((each.rank, each.account), each) for each in found], most)


class Account(Thing):
    """Show an account."""

    tag = "accounts"
    is_versioned = True
    row = AccountRow

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> FoundAccount:
        """Return it."""
        return account_of(caller, place["account"])


class Equity(Listing):
    """Show what an account was worth at the closes of what it traded: at most 1,500 points, of at most 90 days."""

    tag = "accounts"
    is_versioned = True
    row = PointRow
    parameters = (asking.moment("since", "From when on; a week ago where it is left out."),)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        since_ns = time.time_ns() - _WEEK_NS if asked["since"] is None else asked["since"]
        return Page(reporting.equity_curve(account_of(caller, place["account"]), since_ns))


class Settings(Listing):
    """List the settings in force for each set that an account follows, with the level that gave each."""

    tag = "accounts"
    is_versioned = True
    row = SettingRow

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        found = reporting.settings_now(account_of(caller, place["account"]))
        return Page([{"set": of.set, **each._asdict()} for of in found for each in of.settings])


class Subscriptions(Listing):
    """List the sets that an account follows."""

    tag = "accounts"
    is_versioned = True
    row = SubscriptionRow

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        found = reporting.settings_now(account_of(caller, place["account"]))
        return Page([{"set": of.set} | {each.name: each.value for each in of.settings} for of in found])


class Restrictions(Listing):
    """List what keeps an account, or what it follows and has orders in, from trading freely."""

    tag = "accounts"
    is_versioned = True
    row = RestrictionRow

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        of = account_of(caller, place["account"])
        orders = reporting.orders(scope_of(caller, {}, account=of.account), _ORDERS_MAX, state="working")
        sets = [each.set for each in reporting.settings_now(of)]
        return Page(reporting.holds_of(of, orders, sets))


def account_of(caller: Caller, account: str) -> FoundAccount:
    """Return an account of a caller's. Raises Problem where there is none."""
    found = reporting.account(scope_of(caller, {}, account=account))
    if found is None:
        raise Problem("not-found", "There is no such account.")
    return found
