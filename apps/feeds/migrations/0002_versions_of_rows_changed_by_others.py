"""Rows changed by anything but `apps.feeds.rows` move the versions of all series, so that no cache of them is used."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION feeds_rows_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('banyan.feeds_writer', true) IS DISTINCT FROM 'on' THEN
        UPDATE feeds_series SET version = version + 1;
    END IF;
    RETURN NULL;
END $$
"""
TABLES = ("feeds_bar", "feeds_quotebar", "feeds_tick")


class Migration(migrations.Migration):
    dependencies = [("feeds", "0001_initial")]
    side_by_side = "a trigger that counts what others change: who does not know of it reads and writes as before"

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION feeds_rows_changed()"),
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER {table}_changed AFTER INSERT OR UPDATE OR DELETE ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION feeds_rows_changed()",
                f"DROP TRIGGER {table}_changed ON {table}",
            )
            for table in TABLES
        ),
    ]
