"""`python -m extract.risk`: the context risk as a service."""

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


def main() -> int:
    """Run it with the settings of `settings.services.risk`, or those that DJANGO_SETTINGS_MODULE names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.services.risk")
    try:
        django.setup()
    except ImproperlyConfigured as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    from extract.service import serve

    return serve(import_string(f"{os.environ['DJANGO_SETTINGS_MODULE']}_service.made")(), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
