#!/usr/bin/env python
"""Banyan's command line."""

import os
import sys


def main() -> int:
    """Run the command that the arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed in this Python. Run `make setup`, then use .venv/bin/python manage.py …")

    from settings.env import SettingError

    try:
        execute_from_command_line(sys.argv)
    except SettingError as problem:
        sys.exit(f"error: {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
