"""Whether a migration lets the version before go on: while a service is replaced, old and new run beside each other.

So a migration only expands: new tables, new indexes, new columns that old code need not know of. What takes something
away comes a version later, when nobody uses it any more, and says so: `side_by_side`, in the migration's class, is the
reason why the version before can live with it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connections
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED

_FREE = (
    operations.CreateModel, operations.AddIndex, operations.RemoveIndex, operations.AlterModelOptions,
    operations.AlterModelManagers,
)  # fmt: skip


def refusals(labels: Sequence[str]) -> list[str]:
    """Return what migrations of these apps do that the version before could not live with, and do not explain."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    found = []
    for (label, name), migration in sorted(loader.disk_migrations.items()):
        is_first = not any(app == label for app, _ in migration.dependencies)
        if label in labels and not is_first and not getattr(migration, "side_by_side", ""):
            before = loader.project_state(list(migration.dependencies), at_end=True)
            found += [f"{label}/{name}: {each}" for each in refused(migration, before)]
    return found


def refused(migration: Migration, before: ProjectState) -> Iterator[str]:
    """Yield what a migration does, beginning with the models of `before`, that only adds nothing."""
    made: set[tuple[str, ...]] = set()
    for operation in migration.operations:
        model = str(getattr(operation, "model_name_lower", getattr(operation, "name_lower", "")))
        column = model, str(getattr(operation, "name_lower", ""))
        if not ({(model,), column} & made or _only_adds(operation, migration.app_label, before)):
            yield operation.describe()
        if isinstance(operation, operations.CreateModel):
            made.add((model,))
        elif isinstance(operation, operations.AddField):
            made.add(column)
        operation.state_forwards(migration.app_label, before)


def _only_adds(operation: Operation, label: str, before: ProjectState) -> bool:
    if isinstance(operation, operations.AddField):
        field = operation.field
        return bool(field.null or field.many_to_many or field.db_default is not NOT_PROVIDED)
    if isinstance(operation, operations.AlterField):
        old = before.apps.get_model(label, operation.model_name)._meta.get_field(operation.name)
        new = operation.field.clone()
        new.set_attributes_from_name(operation.name)
        new.model = old.model
        editor: Any = connections["default"].schema_editor()
        return not editor._field_should_be_altered(old, new)
    return isinstance(operation, _FREE)
