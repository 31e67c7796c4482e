"""`manage.py schemas`: the JSON Schemas of all messages, as the repository keeps them."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import module_has_submodule

from banyan import commands
from banyan.messages import message_types
from banyan.schema import incompatibilities, schema_of


class Command(commands.Command):
    """Compare the messages' schemas with those that are kept, or keep them."""

    help = (
        "check: exit with 1 where a message has changed in a way that others could not read, or is not kept yet. "
        "write: keep the schemas of today; it refuses an incompatible change, which wants a new version of it. "
        "publish: register those that are kept at SCHEMA_REGISTRY_URL, under their messages' names, or end with 1 and "
        "register nothing where one is incompatible with what is there. "
        "verify: end with 1 where the registry lacks one."
    )

    examples = """
  manage.py schemas check
  manage.py schemas write
  manage.py schemas publish"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        parser.add_argument("action", choices=("check", "write", "publish", "verify"))

    def run(self, **options: Any) -> None:
        """Check, and write or publish where asked to."""
        if options["action"] in ("publish", "verify"):
            self._register(publishes=options["action"] == "publish")
        else:
            self._check(writes=options["action"] == "write")

    def _check(self, *, writes: bool) -> None:
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
        if not complaints and writes:
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

    def _register(self, *, publishes: bool) -> None:
        url = settings.SCHEMA_REGISTRY_URL
        if not url:
            raise CommandError("Name a registry: SCHEMA_REGISTRY_URL=http://registry.example.com:8081")
        from banyan.kafka.registry import Registry  # who has no registry needs no client of one

        registry = Registry(url)
        kept = {path.stem: json.loads(path.read_text()) for path in sorted(Path(settings.SCHEMAS).glob("*.json"))}
        there = {name: registry.look(name, schema) for name, schema in kept.items()}
        complaints = [f"{name}: {each}" for name, found in there.items() for each in found.complaints]
        missing = [name for name, found in there.items() if not found.is_ours]
        for complaint in complaints:
            self.stderr.write(complaint)
        if complaints:
            raise CommandError(f"{url} has schemas that ours cannot take the place of: nothing is published")
        if publishes:
            for name in missing:
                registry.publish(name, kept[name])
        elif missing:
            raise CommandError(f"{url} lacks {len(missing)} schemas, such as {missing[0]}: manage.py schemas publish")
        self.say(f"{len(kept)} schemas at {url}, {len(missing) if publishes else 0} of them new")
