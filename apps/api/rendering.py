"""Answers as JSON and CSV."""

import csv
import io
from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer

from banyan.spreadsheets import as_text


def to_json(value: Any) -> bytes:
    """Return a value as JSON."""
    return orjson.dumps(value)


class Json(BaseRenderer):
    """An answer as JSON."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """Return the answer."""
        return b"" if data is None else to_json(data)


class Csv(BaseRenderer):
    """A list as CSV: a line of names, then a line for each row. Nothing in it is a formula."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """Return the answer."""
        rows = data["data"]
        names = renderer_context["view"].names_of(renderer_context["request"])
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\r\n")
        lines.writerow(names)
        lines.writerows([_cell(name, row) for name in names] for row in rows)
        return text.getvalue().encode()


class Pdf(BaseRenderer):
    """A list as it is printed, which its view draws itself."""

    media_type = "application/pdf"
    format = "pdf"
    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """Return what was drawn; an answer that was not is told as JSON."""
        return data if isinstance(data, bytes) else to_json(data)


def _cell(name: str, row: Mapping[str, Any]) -> str:
    value = row[name]
    if value is None:
        return ""
    text = orjson.dumps(value).decode() if isinstance(value, list | dict) else str(value)
    return as_text(text)
