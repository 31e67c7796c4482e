"""Publishing the messages' schemas, each under its wire name, so that programs in other languages find them."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from banyan.schema import incompatibilities

_NOT_FOUND = 404


class RegistryError(RuntimeError):
    """A registry cannot be reached, or does not take a schema; the message says which and why."""


class Published(NamedTuple):
    """What a registry has of a schema: its id, None where it has none, and what stands against replacing it by ours."""

    id: int | None
    is_ours: bool
    complaints: list[str]


class Registry:
    """The registry at a URL, such as http://user:password@registry.example.com:8081."""

    def __init__(self, url: str) -> None:
        from confluent_kafka.schema_registry import SchemaRegistryClient

        self.url = url
        self._client: Any = SchemaRegistryClient({"url": url})

    def look(self, name: str, schema: Mapping[str, Any]) -> Published:
        """Return what the registry has under a name, against a schema of ours. Raises RegistryError."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            latest = self._client.get_latest_version(name)
        except SchemaRegistryError as problem:
            if problem.http_status_code == _NOT_FOUND:
                return Published(None, False, [])
            raise RegistryError(f"{self.url}: {name}: {problem.error_message}") from None
        except Exception as problem:  # noqa: BLE001  (its client tells of a network in errors of another package)
            raise RegistryError(f"{self.url} cannot be asked: {type(problem).__name__}: {problem}") from None
        held = json.loads(latest.schema.schema_str or "null")
        return Published(latest.schema_id, held == schema, incompatibilities(held, dict(schema)))

    def publish(self, name: str, schema: Mapping[str, Any]) -> int:
        """Register a schema as the newest of its name and return its id. Raises RegistryError."""
        from confluent_kafka.schema_registry import Schema
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            number = self._client.register_schema(name, Schema(json.dumps(schema), "JSON"))
        except SchemaRegistryError as problem:
            raise RegistryError(f"{self.url} does not take {name}: {problem.error_message}") from None
        except Exception as problem:  # noqa: BLE001  (its client tells of a network in errors of another package)
            raise RegistryError(f"{self.url} cannot be asked: {type(problem).__name__}: {problem}") from None
        self._client.clear_latest_caches()
        return int(number)
