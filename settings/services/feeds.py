"""The service of feeds."""

from settings.services.each import *
from settings.services.each import own_database

INSTALLED_APPS = ["banyan", "apps.feeds"]
DATABASES = own_database("feeds")
HOSTED_CONTEXTS = "settings.services.feeds_service.HOSTED_CONTEXTS"
