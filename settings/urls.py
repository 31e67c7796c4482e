"""The addresses that Banyan answers."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

admin.autodiscover()

urlpatterns = [
    path("admin/login/", RedirectView.as_view(pattern_name="sign-in", query_string=True)),
    path("admin/logout/", RedirectView.as_view(pattern_name="overview")),
    path("admin/", admin.site.urls),
    path("", include("apps.api.urls")),
    path("", include("apps.api.key_urls")),
    path("", include("apps.console.urls")),
    path("", include("extract.board.urls")),
]
handler403 = "apps.console.views.refused"
handler404 = "apps.console.views.missing"
handler500 = "apps.console.views.broken"
