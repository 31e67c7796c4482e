"""Set the place up, tell the story there, and leave nothing running."""

import os
import subprocess
import sys
from pathlib import Path

import django
import psycopg
from confluent_kafka.admin import AdminClient
from django.conf import settings
from psycopg import sql

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from banyan.kafka import KafkaError
from extract.demo.stage import DemoError, Place, base_environment
from extract.demo.story import tell


def main() -> int:
    """Return 0 when every invariant held."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")
    django.setup()
    folder: Path = settings.DATA_DIR / "demo-extract"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        environment = base_environment(folder)
        _empty(environment)
        place = Place(environment, folder, _say)
        try:
            return 0 if tell(place, _say) else 1
        finally:
            place.stop_all()
            _delete_topics(environment)
    except (DemoError, KafkaError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1


def _empty(environment: dict[str, str]) -> None:
    """Empty the demonstration's databases, and drop that of the service."""
    script = "import django; django.setup(); from apps.demo.place import clear; clear()"
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, env=environment, check=True)
    given = {**environment, "PYTHONPATH": f".{os.pathsep}platform", "DJANGO_SETTINGS_MODULE": "settings.dev"}
    subprocess.run([sys.executable, "-c", script], env=given, check=True)
    name = environment["RISK_SERVICE_DATABASE_URL"].rpartition("/")[2].partition("?")[0]
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _delete_topics(environment: dict[str, str]) -> None:
    admin = AdminClient({**settings.KAFKA.options(), "bootstrap.servers": environment["KAFKA_BOOTSTRAP"]})
    prefix = f"{environment['BANYAN_ENVIRONMENT']}."
    ours = [topic for topic in admin.list_topics(timeout=10).topics if topic.startswith(prefix)]
    if ours:
        for deleted in admin.delete_topics(ours).values():
            deleted.result(20)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
