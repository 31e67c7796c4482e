from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Post",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "holder", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("holder", models.CharField(max_length=12)),
                ("key", models.CharField(max_length=64)),
                ("digest", models.CharField(help_text="Of the address and the body.", max_length=64)),
                ("begun_at", models.DateTimeField(db_index=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("status", models.IntegerField(null=True)),
                ("answer", models.BinaryField(null=True)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.AddField(
            model_name="key",
            name="holder",
            field=models.CharField(
                default="", help_text="The first key of those that were rotated to this one.", max_length=12
            ),
            preserve_default=False,
        ),
        migrations.RunSQL("UPDATE api_key SET holder = id", migrations.RunSQL.noop),
    ]
