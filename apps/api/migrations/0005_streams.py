from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("api", "0004_webhook_secrets"),
    ]

    operations = [
        migrations.AddField(
            model_name="key",
            name="streams",
            field=models.IntegerField(
                db_default=50, help_text="That may be open at once, in each process of a server."
            ),
        ),
    ]
