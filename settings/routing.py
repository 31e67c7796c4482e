"""Which database belongs to which context, and the router that keeps them apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from banyan.embedded import EmbeddedServer
from settings.env import REQUIRED, Environment, absolute_path, postgresql_url

if TYPE_CHECKING:
    from django.db.models import Model

# Contexts with tables of their own: the app label is the alias of its database. Everything else (users, sessions,
# what people did in the console, alerts) lives in `default`.
CONTEXTS = ("feeds", "backtest", "signals", "execution", "risk", "edge", "reporting", "facade")
# Those of them that a host runs, and whose database therefore has the runtime's tables: log, outbox, timers and so on.
HOSTED = ("feeds", "signals", "execution", "risk")
# Contexts that can have a service, whose database is then another one.
EXTRACTABLE = ("execution", "feeds", "risk", "signals")
_EXAMPLE_URL = "postgresql://banyan:secret@db.example.com:5432/banyan"
_ENGINE = "banyan.timescale"


def databases(
    environment: Environment, server: EmbeddedServer | None, extracted: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Return Django's DATABASES: one for `default` and one per context.

    `DATABASE_URL` names the first; a context's is `<CONTEXT>_DATABASE_URL`, or else the same server with the context's
    name appended to the database's (`banyan_feeds`). Without any URL they are on the embedded `server`; raises
    `SettingError` when that is None, as in production. Of a context that is `extracted` it is its service's database,
    `<CONTEXT>_SERVICE_DATABASE_URL`.
    """
    embedded = REQUIRED if server is None else {"NAME": "banyan", "EMBEDDED": server, "OPTIONS": {}}
    main = environment.read("DATABASE_URL", postgresql_url, example=_EXAMPLE_URL, default=embedded)
    own = {
        context: {**main, "NAME": f"{main['NAME']}_{context}", "OPTIONS": dict(main["OPTIONS"])} for context in CONTEXTS
    }
    for context in CONTEXTS:
        own[context] = environment.read(
            f"{context.upper()}_DATABASE_URL", postgresql_url, example=f"{_EXAMPLE_URL}_{context}", default=own[context]
        )
    own |= {
        context: database
        for context, database in service_databases(environment, server).items()
        if context in extracted
    }
    return {alias: {"ENGINE": _ENGINE, **connection} for alias, connection in {"default": main, **own}.items()}


def service_databases(
    environment: Environment, server: EmbeddedServer | None, of: Sequence[str] = EXTRACTABLE
) -> dict[str, dict[str, Any]]:
    """Return the database of the service of each of these contexts, as `databases` does."""
    embedded = REQUIRED if server is None else {"NAME": "banyan", "EMBEDDED": server, "OPTIONS": {}}
    main = environment.read("DATABASE_URL", postgresql_url, example=_EXAMPLE_URL, default=embedded)
    found = {}
    for context in of:
        name = f"{context}_service"
        beside = {**main, "NAME": f"{main['NAME']}_{name}", "OPTIONS": dict(main["OPTIONS"])}
        own = environment.read(
            f"{name.upper()}_DATABASE_URL", postgresql_url, example=f"{_EXAMPLE_URL}_{name}", default=beside
        )
        found[context] = {"ENGINE": _ENGINE, **own}
    return found


def embedded_server(environment: Environment, data_directory: Path, *, durable: bool = True) -> EmbeddedServer:
    """Return the embedded server of this checkout, not started: its first connection starts it."""
    directory = environment.read(
        "BANYAN_POSTGRES_DIR", absolute_path, example="/srv/banyan/postgres", default=data_directory / "postgres"
    )
    return EmbeddedServer(directory, durable=durable)


class ContextRouter:
    """Sends each context's tables to its own database and refuses relations from one context to another."""

    def db_for_read(self, model: "type[Model]", **hints: Any) -> str:
        """Return the alias of the database that holds `model`."""
        return _alias(model._meta.app_label)

    def db_for_write(self, model: "type[Model]", **hints: Any) -> str:
        """Return the alias of the database that holds `model`."""
        return _alias(model._meta.app_label)

    def allow_relation(self, one: "Model", other: "Model", **hints: Any) -> bool:
        """Return whether both belong to the same database; identifiers cross contexts, relations do not."""
        return _alias(one._meta.app_label) == _alias(other._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        """Return whether the tables of `app_label` are made in database `db`."""
        return db in HOSTED if app_label == "banyan" else db == _alias(app_label)


def _alias(app_label: str) -> str:
    return app_label if app_label in CONTEXTS else "default"
