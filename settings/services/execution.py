"""The service of execution."""

from settings.services.each import *
from settings.services.each import own_database

INSTALLED_APPS = ["banyan", "apps.execution"]
DATABASES = own_database("execution")
HOSTED_CONTEXTS = "settings.services.execution_service.HOSTED_CONTEXTS"
