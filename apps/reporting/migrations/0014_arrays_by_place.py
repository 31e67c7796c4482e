from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0013_unmet"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="refusal", name="reporting_r_refused_eb6a79_idx"),
        migrations.RemoveIndex(model_name="skip", name="reporting_s_skipped_dd861f_idx"),
        migrations.AddIndex(
            model_name="refusal",
            index=models.Index(fields=["-refused_at_ns", "-shard", "-number"], name="reporting_refusal_newest"),
        ),
        migrations.AddIndex(
            model_name="skip",
            index=models.Index(fields=["-skipped_at_ns", "-shard", "-number", "-event"], name="reporting_skip_newest"),
        ),
    ]
