"""The service of risk. Without `RISK_SERVICE_DATABASE_URL` or `DATABASE_URL` its database is on the embedded server."""

import os
from pathlib import Path
from typing import Any

from settings.env import Environment, absolute_path, contexts, log_level, whole_number
from settings.kafka import cluster, kafka_server
from settings.routing import databases, embedded_server

environment = Environment()

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR: Path = environment.read("BANYAN_DATA_DIR", absolute_path, example="/srv/banyan", default=BASE_DIR / "var")
os.environ.setdefault("BANYAN_DATA_DIR", str(DATA_DIR))  # where kernels are kept
DEBUG = False
SECRET_KEY = "a service signs nothing"  # noqa: S105
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = ["banyan", "apps.risk"]
DATABASE_ROUTERS = ["settings.routing.ContextRouter"]
DATABASES: dict[str, dict[str, Any]] = {
    "default": {},  # Django wants the name; what is not risk's is nowhere
    "risk": databases(environment, embedded_server(environment, DATA_DIR), ["risk"])["risk"],
}
KAFKA = cluster(environment, kafka_server(environment, DATA_DIR))
EXTRACTED: tuple[str, ...] = environment.read("BANYAN_EXTRACTED", contexts("risk"), example="risk", default=())
"""Where the app is without this context, its service leads from the first on; else it follows until it is told."""
SHARDS: int = environment.read("BANYAN_SHARDS", whole_number(1, 48), example="12", default=12)

LOG_LEVEL: str = environment.read("BANYAN_LOG_LEVEL", log_level, example="INFO", default="INFO")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {name: {"level": LOG_LEVEL} for name in ("apps", "banyan", "extract", "trading")},
}
HOSTED_CONTEXTS = "settings.services.risk_service.HOSTED_CONTEXTS"
NOTICES: dict[str, str] = {}
