from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0011_lists_by_place"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="answer",
            field=models.TextField(help_text="What came of what a person has said of it last, in words.", null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="answered_at_ns",
            field=models.BigIntegerField(null=True),
        ),
    ]
