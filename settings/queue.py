"""How Celery works here: lower-case names are Celery's own settings."""

from django.conf import settings

broker_url = settings.CELERY_BROKER_URL or "memory://"
result_backend = settings.CELERY_RESULT_BACKEND
task_always_eager = settings.CELERY_BROKER_URL is None
task_eager_propagates = True

task_serializer = result_serializer = "json"
accept_content = ["json"]
timezone = "UTC"

# A worker that dies gives its task back, and takes no more than the one it works on.
task_acks_late = True
task_reject_on_worker_lost = True
worker_prefetch_multiplier = 1
result_expires = 86_400
broker_connection_retry_on_startup = True
worker_hijack_root_logger = False
