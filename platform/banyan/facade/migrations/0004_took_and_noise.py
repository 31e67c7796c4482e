from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("facade", "0003_watched"),
    ]

    operations = [
        migrations.CreateModel(
            name="Noise",
            fields=[
                ("context", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(auto_now=True)),
                ("code", models.CharField(help_text="A hash of the context's source files.", max_length=32)),
                ("records", models.BigIntegerField()),
                ("differing", models.BigIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name="comparison",
            name="leader_took",
            field=ArrayField(
                base_field=models.IntegerField(),
                default=list,
                help_text="Records by how long that was, in classes of extract.comparator.durations.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="comparison",
            name="follower_took",
            field=ArrayField(
                base_field=models.IntegerField(),
                default=list,
                help_text="Records by how long that was, in classes of extract.comparator.durations.",
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="route",
            name="watched_from",
            field=models.JSONField(default=dict, help_text="By key, what had been counted of that minute before."),
        ),
        # What was kept until now was not by key: of that one minute a little more is counted.
        migrations.RunSQL("UPDATE facade_route SET watched_from = '{}'", migrations.RunSQL.noop),
    ]
