"""The addresses that Banyan answers: the admin, and a health check for load balancers."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.generic import RedirectView

admin.autodiscover()


def health(_request: HttpRequest) -> HttpResponse:
    """Answer 200 as soon as the process serves requests."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("health", health),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
