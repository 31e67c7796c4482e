"""What is loaded once for all processes that `tests.forked` begins: nothing that reads settings."""

import django.core.management
import django.db.models  # noqa: F401
import psycopg  # noqa: F401

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from apps.execution.paper.broker import warm

warm()
