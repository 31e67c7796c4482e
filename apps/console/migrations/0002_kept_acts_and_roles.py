from django.db import migrations

ROLES = {"viewers": ("view",), "operators": ("view", "operate")}
NAMES = {"view": "Can see the console", "operate": "Can act in the console"}

KEEP = """
CREATE FUNCTION console_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are kept as they were written', TG_TABLE_NAME;
END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON console_act FOR EACH ROW EXECUTE FUNCTION console_keep();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON console_outcome FOR EACH ROW EXECUTE FUNCTION console_keep();
"""
LET_GO = """
DROP TRIGGER keep ON console_outcome;
DROP TRIGGER keep ON console_act;
DROP FUNCTION console_keep();
"""


def make_roles(apps, _):
    group, permission = (apps.get_model("auth", name) for name in ("Group", "Permission"))
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="console", model="act"
    )
    for role, codenames in ROLES.items():
        made, _ = group.objects.get_or_create(name=role)
        for codename in codenames:
            allowed, _ = permission.objects.get_or_create(
                content_type=content_type, codename=codename, defaults={"name": NAMES[codename]}
            )
            made.permissions.add(allowed)


class Migration(migrations.Migration):
    dependencies = [
        ("console", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.RunSQL(KEEP, LET_GO),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
