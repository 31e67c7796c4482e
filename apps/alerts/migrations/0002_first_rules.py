from django.db import migrations

# name, measure, bound, clears below, for seconds, grave
FIRST = (
    ("A feed is silent", "stale-feed", 30, 15, 10, True),
    ("Reporting is behind", "lag", 5_000, 1_000, 30, False),
    ("Many orders are refused", "refusals", 1_000, 500, 60, False),
    ("Orders are UNKNOWN", "unknown", 1, 1, 30, True),
    ("Losses stop accounts", "stopped", 1, 1, 10, False),
    ("Fills cost too much", "slippage", 10, 5, 60, False),
    ("Messages cannot be processed", "dead-letters", 1, 1, 10, True),
    ("From a bar to the broker takes long", "speed", 100, 80, 60, False),
)


def make_rules(apps, _):
    rule = apps.get_model("alerts", "Rule")
    for name, measure, bound, clears_below, for_seconds, is_grave in FIRST:
        values = {"measure": measure, "bound": bound, "clears_below": clears_below, "for_seconds": for_seconds}
        is_on = measure != "slippage"  # what it asks costs most, and its bound is a matter of what is traded
        rule.objects.get_or_create(name=name, defaults={**values, "is_grave": is_grave, "is_on": is_on})


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]

    operations = [migrations.RunPython(make_rules, migrations.RunPython.noop)]
