"""What the settings of all services share. Without URLs of databases theirs are on the embedded server."""

import os
from pathlib import Path
from typing import Any

from settings.env import Environment, absolute_path, contexts, log_level, whole_number
from settings.kafka import cluster, kafka_server
from settings.routing import EXTRACTABLE, embedded_server, service_databases

environment = Environment()

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR: Path = environment.read("BANYAN_DATA_DIR", absolute_path, example="/srv/banyan", default=BASE_DIR / "var")
os.environ.setdefault("BANYAN_DATA_DIR", str(DATA_DIR))  # where kernels are kept
DEBUG = False
SECRET_KEY = "a service signs nothing"  # noqa: S105  # nosec B105 # as it says
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASE_ROUTERS = ["settings.routing.ContextRouter"]
KAFKA = cluster(environment, kafka_server(environment, DATA_DIR))
EXTRACTED: tuple[str, ...] = environment.read(
    "BANYAN_EXTRACTED", contexts(*EXTRACTABLE), example="risk", default=()
)  # fmt: skip
"""Where the app is without a context, its service leads from the first on; else it follows until it is told."""
SHARDS: int = environment.read("BANYAN_SHARDS", whole_number(1, 48), example="12", default=4)

LOG_LEVEL: str = environment.read("BANYAN_LOG_LEVEL", log_level, example="INFO", default="INFO")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"class": "banyan.log_lines.OneLine", "format": "{asctime} {levelname} {name}: {message}", "style": "{"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {name: {"level": LOG_LEVEL} for name in ("apps", "banyan", "extract", "trading")},
}
NOTICES: dict[str, str] = {}


def own_database(context: str) -> dict[str, dict[str, Any]]:
    """Return Django's DATABASES of a service: what is not its context's is nowhere, though Django wants the name."""
    found = service_databases(environment, embedded_server(environment, DATA_DIR), [context])
    return {"default": {}, **found}
