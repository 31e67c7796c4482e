from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("console", "0005_proposals"),
    ]

    operations = [
        migrations.AddField(
            model_name="act",
            name="request_id",
            field=models.CharField(
                db_default="", db_index=True, default="", help_text="Of the request that asked for it.", max_length=64
            ),
        ),
        migrations.AddField(
            model_name="outcome",
            name="commands",
            field=models.JSONField(
                db_default=[],
                default=list,
                help_text="What was asked for it: [context, key, id], of each key the first.",
            ),
        ),
    ]
