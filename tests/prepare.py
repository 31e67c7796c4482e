"""What many tests stand on, made before the first of them, on both cores: kernels, Kafka's jars, packages of Node.

The processes of a run would else each compile the same kernels in their first minutes, or wait for Maven.
"""

import os
import shutil
import sys
from multiprocessing import get_context

import django


def prepare() -> None:
    """Make what is not there yet; what cannot be had is said here, and again by the tests that need it."""
    from settings.warming import compile_all

    beside = get_context("fork").Process(target=_get_jars)
    beside.start()
    compile_all()
    beside.join()


def _get_jars() -> None:
    from django.conf import settings

    from banyan.kafka import KafkaError
    from banyan.kafka.registry import RegistryServer
    from banyan.kafka.server import missing_programs
    from tests.clients.generating import node_modules

    if shutil.which("npm"):
        node_modules()
    server = settings.KAFKA.server
    if server is None or missing_programs():
        return
    try:
        server.get_jars()
        RegistryServer(server.jars.parent / "registry").build()
    except KafkaError as problem:
        sys.stderr.write(f"{problem}\n")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.test")
    django.setup()
    prepare()
