"""Tests: throw-away servers of this test run, unless `DATABASE_URL` and `KAFKA_BOOTSTRAP` name others."""

import os

from settings.base import *
from settings.base import DATA_DIR, EXTRACTED, environment
from settings.kafka import cluster, kafka_server
from settings.routing import databases, embedded_server, service_databases

# Workers and children that a test starts inherit the variables, and with them the servers of their run.
os.environ.setdefault("BANYAN_POSTGRES_DIR", str(DATA_DIR / "test" / f"postgres-{os.getpid()}"))
os.environ.setdefault("BANYAN_KAFKA_DIR", str(DATA_DIR / "test" / f"kafka-{os.getpid()}"))
# Processes that a test waits for would have nothing of the processors while other tests run beside it.
os.environ.setdefault("BANYAN_GIVE_WAY", "false")
# Brokers of tests end before what is compiled best for them has paid for it.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
SECRET_KEY = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"  # noqa: S105  # nosec B105 # it guards nothing
KAFKA = cluster(environment, kafka_server(environment, DATA_DIR))
DATABASES = databases(environment, embedded_server(environment, DATA_DIR, durable=False), EXTRACTED)
SERVICE_DATABASES = service_databases(environment, embedded_server(environment, DATA_DIR, durable=False))
for _database in DATABASES.values():
    _database["TEST"] = {"DEPENDENCIES": []}  # so that tests of one context make its database only
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
