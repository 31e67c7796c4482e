from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("console", "0004_passkeys"),
    ]

    operations = [
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_index=True)),
                ("user", models.CharField(max_length=150)),
                ("name", models.CharField(max_length=40)),
                ("given", models.JSONField(help_text="What the act is about, by the names of its parameters.")),
                ("why", models.TextField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("closed_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "default_permissions": (),
            },
        ),
    ]
