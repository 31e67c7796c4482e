"""The schema editor: hypertables that keep their primary key, or PostgreSQL's own partitions."""

from typing import Any

from django.db.models import Field, Model
from timescale.db.backends.postgresql.schema import TimescaleSchemaEditor

from banyan.timescale.fields import TimePartitionField
from banyan.timescale.partitions import PartitionError, default_partition, partition_field


class SchemaEditor(TimescaleSchemaEditor):
    """Django-timescaledb's editor, for servers with the extension and without.

    Its own `create_hypertable` drops the table's primary key first, since TimescaleDB wants the time column in every
    unique index. Here a primary key without the time column is refused instead, and one that holds it is kept.
    """

    def table_sql(self, model: type[Model]) -> tuple[str, Any]:
        """Return the statement that creates the table of `model`, partitioned where its field asks for it."""
        statement, parameters = super().table_sql(model)
        field = partition_field(model)
        if field is not None:
            _check_primary_key(model, field)
            if not self._has_timescale:
                statement += f" PARTITION BY RANGE ({self.quote_name(field.column)})"
        return statement, parameters

    def create_model(self, model: type[Model]) -> None:
        """Create the table of `model`, and what partitions it."""
        super().create_model(model)
        if partition_field(model) is not None and not self._has_timescale:
            other = self.quote_name(default_partition(model._meta.db_table))
            self.execute(f"CREATE TABLE {other} PARTITION OF {self.quote_name(model._meta.db_table)} DEFAULT")

    def add_field(self, model: type[Model], field: "Field[Any, Any]") -> None:
        """Add a column; a table that exists cannot become partitioned."""
        _refuse_partition_field(model, field)
        super().add_field(model, field)

    def alter_field(
        self, model: type[Model], old_field: "Field[Any, Any]", new_field: "Field[Any, Any]", strict: bool = False
    ) -> None:
        """Alter a column; a table that exists cannot become partitioned, and keeps the interval of what it holds."""
        if not isinstance(old_field, TimePartitionField):
            _refuse_partition_field(model, new_field)
        if self._has_timescale:
            super().alter_field(model, old_field, new_field, strict)
        else:
            super(TimescaleSchemaEditor, self).alter_field(model, old_field, new_field, strict)

    def _create_hypertable(self, model: type[Model], field: "Field[Any, Any]", should_migrate: bool = False) -> None:
        if self._has_timescale:
            super()._create_hypertable(model, field, should_migrate)

    def _drop_primary_key(self, model: type[Model]) -> None:
        """Keep it: `table_sql` has made sure that it holds the time column."""

    @property
    def _has_timescale(self) -> bool:
        return bool(self.connection.has_timescale)


def _check_primary_key(model: type[Model], field: TimePartitionField) -> None:
    primary_key = model._meta.pk_fields
    if field not in primary_key:
        raise PartitionError(
            f"{model._meta.label}: a table partitioned by {field.name} needs it in its primary key, for example "
            f'pk = models.CompositePrimaryKey("series_id", "{field.name}")'
        )


def _refuse_partition_field(model: type[Model], field: "Field[Any, Any]") -> None:
    if isinstance(field, TimePartitionField):
        raise PartitionError(
            f"{model._meta.label}: a table that exists cannot be partitioned by {field.name}. Create a new model with "
            "the field, and copy."
        )
