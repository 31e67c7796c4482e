"""Schema registries that speak Confluent's protocol: publishing to one, and one of our own for development."""

from banyan.kafka.registry.publishing import Registry, RegistryError
from banyan.kafka.registry.server import RegistryServer

__all__ = ["Registry", "RegistryError", "RegistryServer"]
