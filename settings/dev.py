"""On one's own machine: the embedded database unless `DATABASE_URL` names another."""

from settings.base import *
from settings.base import DATA_DIR, EXTRACTED, environment
from settings.env import flag, kept_secret, secret_key
from settings.kafka import cluster, kafka_server
from settings.routing import databases, embedded_server, service_databases

DEBUG = environment.read("BANYAN_DEBUG", flag, example="true", default=False)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
SECRET_KEY = environment.read("BANYAN_SECRET_KEY", secret_key, example="<50 random characters>", default="")
SECRET_KEY = SECRET_KEY or kept_secret(DATA_DIR / "secret_key")
KAFKA = cluster(environment, kafka_server(environment, DATA_DIR))
DATABASES = databases(environment, embedded_server(environment, DATA_DIR), EXTRACTED)
SERVICE_DATABASES = service_databases(environment, embedded_server(environment, DATA_DIR))
