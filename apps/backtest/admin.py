"""Stored runs in the admin: to look at, with their reports."""

import tempfile
from pathlib import Path
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from unfold.admin import ModelAdmin

from apps.backtest.cli_names import label, number
from apps.backtest.models import Run


@admin.register(Run)
class RunAdmin(ModelAdmin):
    """Runs, newest first; nothing can be changed here."""

    list_display = ("short_id", "created", "kind", "strategy", "traded", "interval", "returned", "sharpe", "drawdown")
    list_filter = ("kind", "strategy", "interval", "created")
    search_fields = ("short_id", "strategy", "instruments")
    ordering = ("-created",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "short_id",
                    "report",
                    "created",
                    "kind",
                    "strategy",
                    "traded",
                    "interval",
                    "first_bar",
                    "last_bar",
                    "bars",
                )
            },
        ),
        ("What was asked", {"fields": ("params", "options", "notes")}),
        ("Metrics", {"fields": ("metric_table",)}),
        (
            "Where it came from",
            {"fields": ("code_hash", "data_hash", "engine_version", "metrics_version", "environment", "digests")},
        ),
        ("The strategy's source as it was run", {"fields": ("source_text",), "classes": ("collapse",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Runs come from commands."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        """What was run stays as it was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        """`manage.py runs delete` deletes."""
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the long texts in the database until one run is opened."""
        return super().get_queryset(request).defer("source", "manifest")

    def get_urls(self) -> list[Any]:
        """Add the address of a run's report."""
        own = path("<int:key>/report/", self.admin_site.admin_view(self.report_page), name="backtest_run_report")
        return [own, *super().get_urls()]

    def report_page(self, request: HttpRequest, key: int) -> HttpResponse:
        """Answer with the run's report, made anew from the stored arrays and the bars."""
        from apps.backtest import store
        from banyan.commands import explained

        run = Run.objects.filter(pk=key).first()
        if run is None or not self.has_view_permission(request, run):
            raise Http404("no such run")
        try:
            result = store.result(run, bars=True)
        except Exception as error:
            found = explained(error)
            if found is None:
                raise
            told = f"The report needs the bars of the run: {found[0]}"
            return HttpResponse(told, status=409, content_type="text/plain")
        with tempfile.TemporaryDirectory() as folder:
            return HttpResponse(result.report(Path(folder) / "report.html").read_bytes(), content_type="text/html")

    @admin.display(description="report")
    def report(self, run: Run) -> str:
        """Link to the report."""
        return format_html(
            '<a href="{}" target="_blank">open the report</a>', reverse("admin:backtest_run_report", args=[run.pk])
        )

    @admin.display(description="on")
    def traded(self, run: Run) -> str:
        """Name the instruments."""
        return " ".join(run.instruments)

    @admin.display(description="return")
    def returned(self, run: Run) -> str:
        """Show the return."""
        return number("return_pct", run.metrics.get("return_pct"))

    @admin.display(description="Sharpe")
    def sharpe(self, run: Run) -> str:
        """Show the Sharpe ratio."""
        return number("sharpe", run.metrics.get("sharpe"))

    @admin.display(description="max drawdown")
    def drawdown(self, run: Run) -> str:
        """Show the deepest drawdown."""
        return number("max_drawdown_pct", run.metrics.get("max_drawdown_pct"))

    @admin.display(description="metrics")
    def metric_table(self, run: Run) -> str:
        """Show every metric."""
        rows = ((label(name), number(name, value)) for name, value in run.metrics_in_order().items())
        return format_html("<table>{}</table>", format_html_join("", "<tr><td>{}</td><td>{}</td></tr>", rows))

    @admin.display(description="source")
    def source_text(self, run: Run) -> str:
        """Show the source."""
        return format_html("<pre>{}</pre>", run.source)
