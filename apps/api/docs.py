"""The contract, and a page to read it and try it: all files are ours, nothing is loaded from elsewhere."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.generic import TemplateView, View

KEPT = Path(__file__).with_name("openapi.json")


class Contract(View):
    """The contract as it is kept, and as a test compares it with what the views say."""

    http_method_names = ("get", "head")

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer with it."""
        return HttpResponse(_kept(), content_type="application/json")


class Docs(TemplateView):
    """The page."""

    http_method_names = ("get", "head")
    template_name = "api/docs.html"


@lru_cache(maxsize=1)
def _kept() -> Any:
    return KEPT.read_bytes()
