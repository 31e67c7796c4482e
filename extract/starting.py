"""Starting a context as a service: its settings, then the service that they describe."""

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


def main(context: str) -> int:
    """Run it with the settings of `settings.services.<context>`, or those that DJANGO_SETTINGS_MODULE names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"settings.services.{context}")
    try:
        django.setup()
    except ImproperlyConfigured as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    from extract.service import serve

    return serve(import_string(f"{os.environ['DJANGO_SETTINGS_MODULE']}_service.made")(), sys.argv[1:])
