"""The addresses of the board."""

from django.urls import path

from extract.board import views

urlpatterns = [
    path("extraction/", views.show_board, name="extraction"),
    path("extraction/<str:name>/", views.show_context, name="extraction-context"),
    path("extraction/<str:name>/plan/", views.show_plan, name="extraction-plan"),
    path("extraction/<str:name>/differences/<int:number>/", views.take_fixture, name="extraction-fixture"),
    path("extraction/<str:name>/noise/", views.show_noise, name="extraction-noise"),
    path("extraction/<str:name>/readiness/", views.show_readiness, name="extraction-readiness"),
]
