"""The Celery application, for batch work such as distributed sweeps: `celery -A settings.celery worker`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")

app = Celery("banyan")
app.config_from_object("settings.queue")
app.autodiscover_tasks()
