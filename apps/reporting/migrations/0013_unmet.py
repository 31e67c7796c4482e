from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0012_answers"),
    ]

    operations = [
        migrations.CreateModel(
            name="Unmet",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shard", "number", "event", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.TextField()),
                ("number", models.BigIntegerField(help_text="Of the record of execution's log.")),
                ("event", models.IntegerField()),
                ("unmet_at_ns", models.BigIntegerField()),
                ("command_id", models.TextField(db_index=True)),
                ("command", models.TextField(help_text="What was asked, such as place-manual-order.")),
                ("account", models.BigIntegerField(null=True)),
                (
                    "reason",
                    models.TextField(help_text="Why it was refused; empty: `skip` says why nothing was ordered."),
                ),
                ("skip", models.SmallIntegerField(help_text="A SkipReason.")),
            ],
        ),
    ]
