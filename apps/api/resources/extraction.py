"""How contexts are carved out: who changed a stage, and how the sides differ."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework import serializers

from apps.api import asking
from apps.api.access import Caller
from apps.api.problems import Problem
from apps.api.rows import Amount, Moment, Row, fields_of
from apps.api.views import Listing, Page
from apps.execution.interface import ids_of
from banyan.facade.compared import differences, summaries
from banyan.facade.routing import changes, routings

_CHANGES_MAX = 500
_DAY = timedelta(days=1)


class ChangeRow(Row):
    """A change of a context's stage: who made it and why, how it was and became, and what had been checked."""

    version = serializers.IntegerField()
    at = Moment(allow_null=False)
    who = serializers.CharField()
    why = serializers.CharField()
    before = serializers.DictField()
    after = serializers.DictField()
    evidence = serializers.ListField(child=serializers.JSONField())


class ComparisonRow(Row):
    """What came of comparing a key: records that gave the same, and those that did not, row by row."""

    key = serializers.CharField()
    first = Moment(allow_null=False)
    last = Moment(allow_null=False)
    same = serializers.IntegerField()
    differing = serializers.IntegerField()
    late = serializers.IntegerField()
    problems = serializers.IntegerField()
    matched = serializers.IntegerField()
    mismatched = serializers.IntegerField()
    missing = serializers.IntegerField()
    extra = serializers.IntegerField()
    ignored = serializers.IntegerField()
    digests_same = serializers.IntegerField()
    digests_differing = serializers.IntegerField()
    leader_ns = Amount(0, help_text="From received to committed, the mean of a record.")
    follower_ns = Amount(0, help_text="To decide, the mean of a record.")
    lag_ns_max = serializers.IntegerField()


class DifferenceRow(Row):
    """A row in which leader and follower differ: by field what the one and the other said, and its size."""

    id = serializers.IntegerField()
    at = Moment(allow_null=False)
    key = serializers.CharField()
    number = serializers.IntegerField(help_text="Of the record in the leader's log.")
    input = serializers.CharField()
    kind = serializers.CharField(help_text="mismatched, missing (with the follower), extra or problem")
    event = serializers.CharField()
    account = serializers.CharField(allow_null=True)
    instrument = serializers.CharField()
    fields = serializers.DictField()
    lots = Amount(9)
    money = Amount()


class StageChanges(Listing):
    """List the changes of a context's stage, newest first, the last 500."""

    tag = "extraction"
    scope = "extract"
    row = ChangeRow
    is_firm_only = True

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        return Page(changes(_known(place["context"]), _CHANGES_MAX))


class Comparisons(Listing):
    """List what came of comparing each key of a context."""

    tag = "extraction"
    scope = "extract"
    row = ComparisonRow
    is_firm_only = True
    parameters = (asking.moment("since", "From when on; a day ago where it is left out."),)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        since = datetime.now(UTC) - _DAY
        if asked["since"] is not None:
            since = datetime.fromtimestamp(asked["since"] / 1e9, UTC)
        return Page(summaries(_known(place["context"]), since))


class Differences(Listing):
    """List rows in which leader and follower of a context differ, newest first, of the last 10,000."""

    tag = "extraction"
    scope = "extract"
    row = DifferenceRow
    is_firm_only = True
    kinds = (int,)
    parameters = (asking.text("key", "Only of this key."),)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        found = differences(_known(place["context"]), most + 1, after[0] if after else None, key=asked["key"])
        names = ids_of({each.account for each in found if each.account >= 0})
        told = [name for name in fields_of(DifferenceRow) if name != "account"]
        rows = [
            {name: getattr(each, name) for name in told} | {"account": names.get(each.account)} for each in found[:most]
        ]
        return Page(rows, (found[most - 1].id,) if len(found) > most else None)


def _known(context: str) -> str:
    if context not in routings():
        raise Problem("not-found", "There is no such context that can have a service.")
    return context
