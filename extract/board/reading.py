"""What programs are told of the extraction that only the extraction knows, at addresses of the API."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.urls import path
from django.utils.module_loading import import_string
from rest_framework import serializers

from apps.api.access import Caller
from apps.api.rows import Row
from apps.api.views import Thing
from extract.readiness import beyond, counts, scanned


class FindingRow(Row):
    """Something in the code that would break if the context left the app."""

    check = serializers.CharField()
    path = serializers.CharField()
    line = serializers.IntegerField()
    detail = serializers.CharField()


class ReadinessRow(Row):
    """How ready a context is: what each check counts, what is worse than was accepted, and each place."""

    context = serializers.CharField()
    counts = serializers.DictField(child=serializers.IntegerField())
    worse = serializers.ListField(child=serializers.CharField())
    findings = FindingRow(many=True)


class Readiness(Thing):
    """Show what stands between a context and a service of its own, with file and line."""

    tag = "extraction"
    scope = "extract"
    row = ReadinessRow
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        context = place["context"]
        if context not in import_string(settings.HOSTED_CONTEXTS):
            return None
        found = scanned(context)
        now = counts(found)
        return {"context": context, "counts": now, "worse": beyond(context, now), "findings": found}


ADDRESSES = (path("api/v1/stages/<name:context>/readiness", Readiness.as_view(), name="api-readiness"),)
