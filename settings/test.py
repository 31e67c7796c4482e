"""Tests: a throw-away embedded server of this test run, unless `DATABASE_URL` names another."""

import os

from settings.base import *
from settings.base import DATA_DIR, environment
from settings.routing import databases, embedded_server

# Workers and children that a test starts inherit the variable, and with it the server of their run.
os.environ.setdefault("BANYAN_POSTGRES_DIR", str(DATA_DIR / "test" / f"postgres-{os.getpid()}"))

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
SECRET_KEY = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"  # noqa: S105  (it guards nothing)
DATABASES = databases(environment, embedded_server(environment, DATA_DIR, durable=False))
for _database in DATABASES.values():
    _database["TEST"] = {"DEPENDENCIES": []}  # so that tests of one context make its database only
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
