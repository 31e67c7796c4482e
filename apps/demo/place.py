"""Where the demonstration runs: databases beside the real ones, a data folder of its own, emptied before each run."""

import os
import shutil
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connections

from trading.compiled import data_directory

PLACE = "BANYAN_DEMO"
"""Set in the process that is at the demonstration's own place."""
_KEPT = "feeds_"
"""Tables with the market data, which is the same each time."""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a process that works on the demonstration's databases and in `folder`."""
    server = settings.DATABASES["default"]
    if server.get("EMBEDDED") is not None:
        address = server["EMBEDDED"].start()
        user, host, port, password = address.user, address.host, address.port, ""
    else:
        user, host, port, password = (server.get(name) or "" for name in ("USER", "HOST", "PORT", "PASSWORD"))
    secret = f":{quote(password, safe='')}" if password else ""
    where = f"?host={quote(str(host), safe='')}&port={port or 5432}"
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    _share_kernels(folder / "kernels")
    return {
        **inherited,
        "DATABASE_URL": f"postgresql://{quote(str(user), safe='')}{secret}@/{server['NAME']}_demo{where}",
        "BANYAN_DATA_DIR": str(folder),
        "BANYAN_SHARDS": "4",
        PLACE: "1",
    }


def _share_kernels(folder: Path) -> None:
    """Let what was compiled be found there too."""
    kept = data_directory() / "kernels"
    kept.mkdir(parents=True, exist_ok=True)
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    if not folder.is_symlink():
        folder.symlink_to(kept)


def clear() -> None:
    """Empty the databases, but for market data, and the folder. Only at the demonstration's own place."""
    assert os.environ.get(PLACE) == "1", "these are not the demonstration's databases"
    for alias in connections:
        with connections[alias].cursor() as cursor:
            cursor.execute("SET synchronous_commit TO off")  # in a crash the next time empties them again
            tables = connections[alias].introspection.django_table_names(only_existing=True, include_views=False)
            names = [f'"{name}"' for name in tables if not name.startswith(_KEPT)]
            # A table that is emptied is made anew, which costs more than a look at all of them.
            looks = [f"SELECT %s WHERE EXISTS (SELECT FROM {name})" for name in names]  # noqa: S608  (names of ours)
            cursor.execute(" UNION ALL ".join(looks), names)
            if filled := [name for (name,) in cursor.fetchall()]:
                cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")
    for entry in settings.DATA_DIR.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
