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
        return _refuse(str(problem))
    except Exception as problem:
        explanation = _explanation(problem)
        if explanation is None:
            raise
        return _refuse(explanation)
    return 0


def _refuse(problem: str) -> int:
    sys.stderr.write(f"error: {problem}\n")
    return 1


def _explanation(problem: Exception) -> str | None:
    from banyan.databases import explain

    return explain(problem)


if __name__ == "__main__":
    sys.exit(main())
