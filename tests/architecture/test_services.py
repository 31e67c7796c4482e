"""A service has in memory its own context, and of the others what they say in public."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings.services.{context}"
import extract.{context}, django
django.setup()
from django.utils.module_loading import import_string
service = import_string("settings.services.{context}_service.made")()
service.rehearse()
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("context", ["execution", "feeds", "risk", "signals"])
def test_a_service_imports_its_own_context_and_contracts_of_others(context, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(context=context)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)
    apps = [name.split(".") for name in loaded if name.startswith("apps.")]
    own = [name for name in apps if name[1] == context]
    public = [], ["contracts"], ["book_contracts"]
    foreign = [".".join(name) for name in apps if name[1] != context and name[2:] not in public]
    assert ["apps", context, "core"] in own
    assert foreign == []
    assert {"settings.base", "settings.roles", "django.contrib.admin", "celery", "pandas"} & set(loaded) == set()


def test_nothing_that_runs_asks_the_coordinator_of_a_group_by_the_admin_api():
    """In librdkafka that ends the process where the broker dies just then (ADR 105)."""
    sources = [path for name in ("platform", "apps", "extract", "settings") for path in (ROOT / name).rglob("*.py")]
    assert len(sources) > 200
    found = [str(path) for path in sources if re.search(r"\.\w+_consumer_groups?(_offsets)?\(", path.read_text())]
    assert found == []
