"""One database per context, and nothing that joins them."""

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections, models, router
from django.test.utils import isolate_apps

from settings.routing import CONTEXTS, HOSTED, ContextRouter

# What people did in the console, what they are alerted of, and the keys of programs, stand beside those people.
BESIDE_USERS = ("alerts", "api", "console")
OURS = [config for config in apps.get_app_configs() if config.name.startswith(("apps.", "banyan"))]


@pytest.mark.parametrize("config", OURS, ids=lambda config: config.label)
def test_every_context_with_tables_has_a_database_of_its_own(config):
    tables = [model for model in config.get_models() if model._meta.managed]
    if config.label == "banyan":
        assert {alias for alias in settings.DATABASES if router.allow_migrate(alias, "banyan")} == set(HOSTED)
        return
    assert not tables or config.label in (*CONTEXTS, *BESIDE_USERS)
    alias = "default" if config.label in BESIDE_USERS else config.label
    assert all(router.db_for_write(model) == alias for model in tables)


def test_no_relation_leads_from_one_context_to_another():
    crossing = [
        f"{field} -> {field.related_model._meta.label}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.is_relation
        and field.related_model is not None
        and not isinstance(field.related_model, str)
        and router.db_for_read(model) != router.db_for_read(field.related_model)
    ]
    assert crossing == []


def test_the_router_refuses_a_relation_from_one_context_to_another():
    with isolate_apps("apps.feeds", "apps.backtest"):

        class Price(models.Model):
            class Meta:
                app_label = "feeds"

        class Fill(models.Model):
            price = models.ForeignKey(Price, on_delete=models.CASCADE)

            class Meta:
                app_label = "backtest"

    with pytest.raises(ValueError, match="the current database router prevents this relation"):
        Fill(price=Price(pk=1))
    chosen = ContextRouter()
    assert chosen.allow_relation(Price(), Price()) is True
    assert chosen.allow_relation(Price(), User()) is False


@pytest.mark.django_db(databases=list(settings.DATABASES))
def test_each_database_holds_the_tables_of_its_context_only():
    for alias in settings.DATABASES:
        present = {
            table for table in connections[alias].introspection.table_names() if not table.startswith("django_m")
        }
        expected = {
            table
            for config in apps.get_app_configs()
            for model in config.get_models()
            if _is_in(alias, model)
            for table in (model._meta.db_table, *(field.m2m_db_table() for field in model._meta.local_many_to_many))
        }
        assert expected <= present
        partitions = {table for table in present if any(table.startswith(f"{one}_") for one in expected)}
        assert present - expected - partitions == set()


def _is_in(alias, model):
    if model._meta.app_label == "banyan":
        return alias in HOSTED
    return router.db_for_write(model) == alias


@pytest.mark.django_db(databases=list(settings.DATABASES))
def test_models_and_migrations_agree():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
