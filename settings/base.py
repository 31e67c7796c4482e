"""What every environment shares. Nothing here connects, starts a server or compiles."""

from pathlib import Path
from typing import Any

from settings.env import (
    Environment,
    absolute_path,
    broker_url,
    contexts,
    flag,
    log_level,
    names,
    networks,
    text,
    whole_number,
)
from settings.limits import limits_of_sets
from settings.routing import EXTRACTABLE

environment = Environment()

BASE_DIR = Path(__file__).resolve().parents[1]
DATA_DIR: Path = environment.read("BANYAN_DATA_DIR", absolute_path, example="/srv/banyan", default=BASE_DIR / "var")
DEBUG = False

INSTALLED_APPS = [
    "banyan",
    "banyan.facade",
    "apps.feeds",
    "apps.signals",
    "apps.execution",
    "apps.risk",
    "apps.backtest",
    "apps.execution.edge",
    "apps.reporting",
    "apps.audit",
    "apps.demo",
    "extract",
    "apps.api",
    "drf_spectacular_sidecar",
    "apps.alerts",
    "apps.console",  # before Unfold, around whose pages it puts its own shell
    "unfold",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "banyan.health.HealthMiddleware",
    "apps.api.middleware.ApiMiddleware",
    "apps.console.policy.PolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "apps.console.typed.TypedMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.console.shell.shell",
            ]
        },
    }
]

ROOT_URLCONF = "settings.urls"
ASGI_APPLICATION = "settings.asgi.application"

DATABASE_ROUTERS = ["settings.routing.ContextRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
# One copy of the charts, which reports have within themselves and the console serves.
STATICFILES_DIRS = [("charts", BASE_DIR / "apps/backtest/report/vendor/lightweight-charts")]

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "overview"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.api.access.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.api.access.MayCall"],
    "DEFAULT_RENDERER_CLASSES": ["apps.api.rendering.Json"],
    "DEFAULT_PARSER_CLASSES": ["apps.api.parsing.Json"],
    "DEFAULT_SCHEMA_CLASS": "apps.api.schema.Schema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "apps.api.problems.answer",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {"OAS_VERSION": "3.1.1", "SCHEMA_PATH_PREFIX": "/api/v[0-9]"}

UNFOLD = {"SITE_TITLE": "Banyan", "SITE_HEADER": "Banyan", "SHOW_HISTORY": True}

# Without a broker tasks run where they are called.
CELERY_BROKER_URL: str | None = environment.read(
    "CELERY_BROKER_URL", broker_url, example="redis://localhost:6379/0", default=None
)
CELERY_APP = "settings.celery.app"  # for contexts, which do not import settings
CELERY_RESULT_BACKEND: str | None = environment.read(
    "CELERY_RESULT_BACKEND", text, example="redis://localhost:6379/1", default=CELERY_BROKER_URL
)

EMAIL_HOST: str = environment.read("BANYAN_EMAIL_HOST", text, example="smtp.example.com", default="")
"""The mail server that alerts are sent by; without one they are shown in the console alone."""
EMAIL_PORT: int = environment.read("BANYAN_EMAIL_PORT", whole_number(1, 65_535), example="587", default=587)
EMAIL_HOST_USER: str = environment.read("BANYAN_EMAIL_USER", text, example="banyan", default="")
EMAIL_HOST_PASSWORD: str = environment.read("BANYAN_EMAIL_PASSWORD", text, example="<its password>", default="")
EMAIL_USE_TLS: bool = environment.read("BANYAN_EMAIL_TLS", flag, example="true", default=True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL: str = environment.read(
    "BANYAN_EMAIL_FROM", text, example="banyan@example.com", default="banyan@localhost"
)

TWO_PEOPLE: list[str] = environment.read(
    "BANYAN_TWO_PEOPLE", names, example="order.resolve,kill-switch.lift", default=[]
)
"""Acts that one person asks for and another confirms, by their names as the audit has them."""

LOG_LEVEL: str = environment.read("BANYAN_LOG_LEVEL", log_level, example="INFO", default="INFO")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"class": "banyan.log_lines.OneLine", "format": "{asctime} {levelname} {name}: {message}", "style": "{"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {name: {"level": LOG_LEVEL} for name in ("apps", "banyan", "trading")},
}

SHARDS: int = environment.read("BANYAN_SHARDS", whole_number(1, 48), example="12", default=4)
"""How many shards accounts are spread over, beside the canary shard: fixed once the first account is open.

Every shard costs each signal its fixed part: two for each process of `SHARD_PROCESSES` are enough.
"""

SHARD_PROCESSES: int = environment.read("BANYAN_SHARD_PROCESSES", whole_number(1, 48), example="2", default=2)
"""Over how many processes the shards are spread: as many as the machine has cores. May change at every start."""

GIVES_WAY: bool = environment.read("BANYAN_GIVE_WAY", flag, example="false", default=True)
"""Whether what only remembers, and jobs of research, have the processors only when nobody else wants them.

Where other programs keep this machine busy, they would have them never.
"""

SET_MEMORY_MB, SET_CPU_PERCENT = limits_of_sets(environment)
"""What the process of a set may take: memory of its own before it is killed, and of a core before it is held back."""

EXTRACTED: tuple[str, ...] = environment.read("BANYAN_EXTRACTED", contexts(*EXTRACTABLE), example="risk", default=())
"""The contexts that a service leads, reached through Kafka: no process of `manage.py run` decides for them."""

WEBHOOK_NETWORKS: tuple[str, ...] = environment.read(
    "BANYAN_WEBHOOK_NETWORKS", networks, example="10.1.2.0/24", default=()
)
"""Networks of the firm's own that webhooks of its own keys may be sent to, without TLS too; else to public ones."""

KILL_SWITCH = DATA_DIR / "edge" / "kill_switch"
PAPER_DIR = DATA_DIR / "paper"
PAPER_RATES: tuple[int, int] = (
    environment.read("BANYAN_PAPER_ORDERS_PER_SECOND", whole_number(0, 1_000_000), example="500", default=0),
    environment.read("BANYAN_PAPER_ORDERS_PER_SECOND_PER_ACCOUNT", whole_number(0, 1_000), example="5", default=0),
)
"""How many orders the paper broker takes in a second, of a session and of an account; 0: any number."""
BOOKS_DIR = DATA_DIR / "clients"

# What `manage.py run` runs, and what the runtime's commands know of the contexts.
ROLES = "settings.roles.ROLES"
SENDERS = "settings.roles.SENDERS"
BESIDE = "settings.roles.BESIDE"
PREPARE = "settings.warming.prepare"
ROUTES = "settings.roles.ROUTES"
SETS_TOLD = "apps.execution.interface.learn_set"
"""Who is told, with its `DefineSet`, that a strategy set is defined or replaced, before the set is."""
TOPICS = "settings.topics.planned"
TOPIC_NAMES = "settings.topics.TOPICS"
REPORTED = "settings.roles.followed"
UNREAD = "settings.roles.UNREAD"
RETAINERS = (
    "apps.reporting.retention.retain",
    "apps.execution.edge.retention.retain",
    "apps.api.once.retain",
    "apps.backtest.jobs.keeping.retain",
    "apps.api.webhooks.sending.retain",
)
# Of receivers that are no contexts, what tells how far they have taken what they were sent.
TAKEN = {"edge": "apps.execution.edge.retention.has_taken"}
AFTER_RESTORE = ("apps.execution.restored.after_restore",)
HOSTED_CONTEXTS = "settings.roles.HOSTED_CONTEXTS"
QUIET = "settings.roles.quiet"
LOCKSTEP = "settings.lockstep.trade_apart"
# What the environment says, for those who operate: nothing of it that is secret.
CONFIGURATION = environment.in_force
# Acts that people can ask for in the console, and addresses of the API, of those who stand above both.
CONSOLE_ACTS = ("apps.api.key_acts.KINDS", "extract.board.acts.KINDS")
API_ADDRESSES = ("extract.board.reading.ADDRESSES",)
# What each context has to say of itself in `manage.py status` that needs a person.
NOTICES = {"feeds": "apps.feeds.interface.notices", "signals": "apps.signals.interface.notices"}
# Who works beside the contexts, and how it stands, in the form of theirs.
STANDINGS = {"edge": "apps.execution.edge.standing.standing"}
SCHEMAS = BASE_DIR / "docs" / "schemas"
SCHEMA_REGISTRY_URL: str = environment.read(
    "SCHEMA_REGISTRY_URL", text, example="http://registry.example.com:8081", default=""
)
