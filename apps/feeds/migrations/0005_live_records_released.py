from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("feeds", "0004_decisions_of_quarantine"),
    ]

    operations = [
        migrations.AddField(
            model_name="livedecision",
            name="released",
            field=models.JSONField(null=True),
        ),
    ]
