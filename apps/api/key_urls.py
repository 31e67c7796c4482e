"""The addresses of the console's pages about keys of the API."""

from django.urls import path

from apps.api import key_pages

urlpatterns = [
    path("keys/", key_pages.show_keys, name="api-keys"),
    path("keys/new/", key_pages.make_key, name="api-key-new"),
    path("keys/<str:key>/rotate/", key_pages.rotate_key, name="api-key-rotate"),
]
