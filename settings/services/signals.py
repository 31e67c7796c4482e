"""The service of signals."""

from settings.limits import limits_of_sets
from settings.services.each import *
from settings.services.each import environment, own_database

INSTALLED_APPS = ["banyan", "apps.signals"]
DATABASES = own_database("signals")
HOSTED_CONTEXTS = "settings.services.signals_service.HOSTED_CONTEXTS"
SET_MEMORY_MB, SET_CPU_PERCENT = limits_of_sets(environment)
