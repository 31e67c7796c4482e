"""`manage.py schemas`: the JSON Schemas of all messages, as the repository keeps them."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandParser
from django.utils.module_loading import module_has_submodule

from banyan import commands
from banyan.messages import message_types
from banyan.schema import incompatibilities, schema_of


class Command(commands.Command):
    """Compare the messages' schemas with those that are kept, or keep them."""

    help = (
        "check: exit with 1 where a message has changed in a way that others could not read, or is not kept yet. "
        "write: keep the schemas of today; it refuses an incompatible change, which wants a new version of the message."
    )

    examples = """
  manage.py schemas check
  manage.py schemas write"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        parser.add_argument("action", choices=("check", "write"))

    def run(self, **options: Any) -> None:
        """Check, and write where asked to."""
        for config in apps.get_app_configs():
            for module in ("contracts", "book_contracts"):
                if module_has_submodule(config.module, module):
                    import_module(f"{config.name}.{module}")
        folder = Path(settings.SCHEMAS)
        complaints, stale = [], []
        kinds = {name: kind for name, kind in message_types().items() if not kind.__module__.startswith("tests.")}
        for name, kind in kinds.items():
            path = folder / f"{name}.json"
            text = json.dumps(schema_of(kind), indent=1) + "\n"
            if path.exists():
                kept = json.loads(path.read_text())
                complaints += [f"{name}: {each}" for each in incompatibilities(kept, json.loads(text))]
            if not path.exists() or path.read_text() != text:
                stale.append((path, text))
        gone = sorted({path.stem for path in folder.glob("*.json")} - kinds.keys())
        complaints += [f"{name}: the message is gone, but logs may hold it for ever" for name in gone]
        for complaint in complaints:
            self.stderr.write(complaint)
        if not complaints and options["action"] == "write":
            folder.mkdir(parents=True, exist_ok=True)
            for path, text in stale:
                path.write_text(text)
            self.say(f"{len(kinds)} messages, {len(stale)} schemas written to {folder}")
            return
        for path, _ in stale:
            self.stderr.write(f"{path.stem}: the kept schema is not that of today: run `manage.py schemas write`")
        if complaints or stale:
            sys.exit(1)
        self.say(f"{len(kinds)} messages, all as they are kept in {folder}")
