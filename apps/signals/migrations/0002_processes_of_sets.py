from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signals", "0001_initial")]
    side_by_side = "signals had no service before it, so no version of one that reads the table without these columns"

    operations = [
        migrations.CreateModel(
            name="SetReport",
            fields=[
                ("set_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("reported_at", models.DateTimeField()),
                ("state", models.CharField(help_text="running or restarting", max_length=16)),
                ("pid", models.IntegerField(default=0)),
                ("starts", models.IntegerField(default=0)),
                ("failures", models.IntegerField(default=0, help_text="Those that count against it now.")),
                ("problem", models.TextField(blank=True, default="", help_text="Why it ended last.")),
                ("megabytes", models.FloatField(default=0.0, help_text="Memory of its own.")),
            ],
            options={"ordering": ["set_id"]},
        ),
        migrations.AddField(
            model_name="strategyset",
            name="is_paused",
            field=models.BooleanField(default=False, help_text="It follows its bars, and gives no targets."),
        ),
        # The sets that there are follow their bars already.
        migrations.AddField(
            model_name="strategyset",
            name="is_started",
            field=models.BooleanField(default=True, help_text="It was started once: it follows its bars."),
        ),
        migrations.AlterField(
            model_name="strategyset",
            name="is_started",
            field=models.BooleanField(default=False, help_text="It was started once: it follows its bars."),
        ),
        migrations.AddField(
            model_name="strategyset",
            name="parked_because",
            field=models.TextField(
                blank=True, default="", help_text="Why its process is left alone; empty: it is not."
            ),
        ),
    ]
