#!/usr/bin/env python
"""Banyan's command line."""

import os
import sys
from importlib import import_module

# Commands that set Django up by themselves, and only where they need the database: that takes longer than a backtest.
_WITHOUT_DJANGO = {"backtest": "apps.backtest.management.commands.backtest"}


def main() -> int:
    """Run the command that the arguments name."""
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed in this Python. Run `make setup`, then use .venv/bin/python manage.py …")

    from settings.env import SettingError

    try:
        if sys.argv[1:2] and sys.argv[1] in _WITHOUT_DJANGO:
            import_module(_WITHOUT_DJANGO[sys.argv[1]]).Command().run_from_argv(sys.argv)
        else:
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")
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
