"""The service of risk."""

from settings.services.each import *
from settings.services.each import own_database

INSTALLED_APPS = ["banyan", "apps.risk"]
DATABASES = own_database("risk")
HOSTED_CONTEXTS = "settings.services.risk_service.HOSTED_CONTEXTS"
