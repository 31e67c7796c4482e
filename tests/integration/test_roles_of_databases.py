"""Each context by a role of PostgreSQL of its own, as docs/security.md sets it up: no role reaches another's rows."""

import os
import re
import subprocess
import sys

import psycopg
import pytest
from django.db import connections
from psycopg import sql

from tests.documents import ROOT

CONTEXTS = ("risk", "edge")
PREFIX = f"apart{os.getpid()}"


def shown(context: str) -> list[str]:
    """Return the statements that the document shows, for a context."""
    (block,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/security.md").read_text(), re.DOTALL)
    filled = block.replace("banyan_CONTEXT", f"{PREFIX}_{context}").replace("'…'", f"'secret of {context}'")
    return [each for each in filled.split(";") if each.strip()]


def parameters(**more: str) -> dict[str, str]:
    own = connections["default"].settings_dict
    server = connections["default"].get_connection_params()
    found = {name: str(server[name]) for name in ("host", "port", "user", "password") if server.get(name)}
    return {**found, "dbname": "postgres", **more} if own else more


@pytest.fixture(scope="module")
def apart(django_db_setup):
    """Databases of two contexts, each with its role."""
    with psycopg.connect(**parameters(), autocommit=True) as server:
        try:
            for context in CONTEXTS:
                for statement in shown(context):
                    server.execute(statement)
            yield
        finally:
            for context in CONTEXTS:
                name = sql.Identifier(f"{PREFIX}_{context}")
                server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
                server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))


def as_role(role: str, database: str) -> "psycopg.Connection":
    return psycopg.connect(
        **parameters(user=f"{PREFIX}_{role}", password=f"secret of {role}", dbname=f"{PREFIX}_{database}"),
        autocommit=True,
    )


def test_a_role_migrates_and_uses_its_own_database_and_cannot_enter_anothers(apart):
    server = parameters()
    urls = {
        f"{context.upper()}_DATABASE_URL": f"postgresql://{PREFIX}_{context}:secret%20of%20{context}@/{PREFIX}_{context}"
        f"?host={server['host']}&port={server.get('port', '5432')}"
        for context in CONTEXTS
    }
    for context in CONTEXTS:
        command = [sys.executable, "manage.py", "migrate", "--database", context, "--verbosity", "0"]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **urls}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    with as_role("risk", "risk") as own:
        own.execute("INSERT INTO banyan_seen SELECT * FROM banyan_seen")
        rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert own.execute(rights).fetchone() == (False,)
    for role, database in (("risk", "edge"), ("edge", "risk")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            as_role(role, database)
