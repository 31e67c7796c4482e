import pytest
from django.db import migrations, models
from django.db.migrations.state import ModelState, ProjectState

from extract.upgrading import refusals, refused
from settings.routing import EXTRACTABLE

BEFORE = ModelState(
    "execution", "Thing", [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=8))]
)


def what_is_refused(*operations) -> list[str]:
    state = ProjectState()
    state.add_model(BEFORE.clone())
    migration = migrations.Migration("0002_more", "execution")
    migration.operations = list(operations)
    return list(refused(migration, state))


def add(field: models.Field) -> migrations.AddField:
    return migrations.AddField("thing", "more", field)


@pytest.mark.parametrize(
    "operation",
    [
        add(models.IntegerField(null=True)),
        add(models.IntegerField(db_default=0)),
        migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddIndex("thing", models.Index(fields=["name"], name="thing_name")),
        migrations.AlterField("thing", "name", models.CharField(max_length=8, help_text="Told.")),
    ],
)
def test_what_only_adds_is_let_through(operation):
    assert what_is_refused(operation) == []


@pytest.mark.parametrize(
    "operation",
    [
        add(models.IntegerField(default=0)),  # which PostgreSQL knows nothing of
        migrations.RemoveField("thing", "name"),
        migrations.RenameField("thing", "name", "title"),
        migrations.AlterField("thing", "name", models.CharField(max_length=4)),
        migrations.AddConstraint("thing", models.UniqueConstraint(fields=["name"], name="once")),
        migrations.DeleteModel("Thing"),
        migrations.RenameModel("Thing", "Other"),
        migrations.RunSQL("UPDATE execution_thing SET name = ''"),
    ],
)
def test_what_the_version_before_cannot_live_with_is_refused(operation):
    assert what_is_refused(operation) == [operation.describe()]


def test_a_table_that_is_new_may_be_changed_as_one_likes():
    made = migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))])
    added = migrations.AddField("other", "more", models.IntegerField(default=0))
    assert what_is_refused(made, added, migrations.RemoveField("other", "more")) == []
    assert what_is_refused(add(models.IntegerField(null=True)), migrations.RemoveField("thing", "more")) == []


def test_migrations_of_services_only_expand_or_say_why_the_version_before_goes_on():
    found = refusals(["banyan", "edge", *EXTRACTABLE])
    assert found == [], "add first, take away a version later, or say in the migration's class why: side_by_side"
