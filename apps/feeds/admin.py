"""The admin pages of market data. What imports wrote can be looked at, not changed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from apps.feeds.models import Factor, Import, Instrument, QuarantinedRecord, Series
from trading.intervals import format_interval


class ReadOnly(ModelAdmin):
    """Rows to look at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes rows by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes rows by hand."""
        return False


@admin.register(Instrument)
class InstrumentAdmin(ModelAdmin):
    """Instruments, yours to add and to change."""

    list_display = ("id", "asset_class", "currency", "tick_size", "lot_step", "margin_rate", "calendar", "time_zone")
    list_filter = ("asset_class", "currency", "calendar")
    search_fields = ("id",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """An id, once given, stays: series are kept under it."""
        return ("id",) if obj is not None else ()


@admin.register(Series)
class SeriesAdmin(ReadOnly):
    """What is stored."""

    list_display = ("instrument", "interval_name", "kind", "rows", "first", "last", "version")
    list_filter = ("kind",)
    search_fields = ("instrument__id",)
    list_select_related = ("instrument",)

    @admin.display(description="interval", ordering="interval")
    def interval_name(self, series: Series) -> str:
        """Return the interval's short name."""
        return format_interval(series.interval)


@admin.register(Import)
class ImportAdmin(ReadOnly):
    """Which files were imported, and what became of their rows."""

    list_display = ("path", "series", "status", "rows_read", "rows_added", "rows_replaced", "rows_present", "finished")
    list_filter = ("status", "series__kind")
    search_fields = ("path", "series__instrument__id")
    list_select_related = ("series",)


@admin.register(QuarantinedRecord)
class QuarantinedRecordAdmin(ReadOnly):
    """Records that were not let in, with file, line and reason."""

    list_display = ("file", "line", "reason", "detail", "text", "time")
    list_filter = ("reason",)
    search_fields = ("source__path", "source__series__instrument__id", "text")
    list_select_related = ("source",)

    @admin.display(description="file", ordering="source__path")
    def file(self, record: QuarantinedRecord) -> str:
        """Return the path of the file."""
        return record.source.path


@admin.register(Factor)
class FactorAdmin(ReadOnly):
    """Split and dividend factors."""

    list_display = ("instrument", "date", "price_factor", "split_factor", "reference_price")
    search_fields = ("instrument__id",)
