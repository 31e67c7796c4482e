"""Production: behind TLS, on a PostgreSQL server that the environment names, with every secret from the environment."""

from settings.base import *
from settings.base import EXTRACTED, LOGGING, MIDDLEWARE, environment
from settings.env import flag, hosts, origins, secret_key, whole_number
from settings.kafka import cluster
from settings.routing import databases, service_databases

SECRET_KEY = environment.read("BANYAN_SECRET_KEY", secret_key, example="$(openssl rand -base64 48)")
ALLOWED_HOSTS = environment.read("BANYAN_ALLOWED_HOSTS", hosts, example="banyan.example.com")
CSRF_TRUSTED_ORIGINS = environment.read(
    "BANYAN_CSRF_TRUSTED_ORIGINS", origins, example="https://banyan.example.com", default=[]
)
KAFKA = cluster(environment, None)
DATABASES = databases(environment, None, EXTRACTED)
SERVICE_DATABASES = service_databases(environment, None)
for _database in DATABASES.values():
    _database["CONN_HEALTH_CHECKS"] = True
    # For the threads that keep theirs, and for pages and writes. Seconds for one: then a page says what is away.
    _database["OPTIONS"]["pool"] = {"min_size": 0, "max_size": 24, "timeout": 3}

SECURE_SSL_REDIRECT = environment.read("BANYAN_SSL_REDIRECT", flag, example="true", default=True)
SECURE_HSTS_SECONDS = environment.read(
    "BANYAN_HSTS_SECONDS", whole_number(1, 63_072_000), example="31536000", default=31_536_000
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# Of names that begin so a browser takes no cookie that another host of the domain, or a page without TLS, has set.
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_NAME = "__Host-csrf"
if environment.read("BANYAN_BEHIND_PROXY", flag, example="true", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

_FIRST = MIDDLEWARE.index("django.middleware.security.SecurityMiddleware") + 1
MIDDLEWARE = [*MIDDLEWARE[:_FIRST], "whitenoise.middleware.WhiteNoiseMiddleware", *MIDDLEWARE[_FIRST:]]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
LOGGING = {**LOGGING, "root": {**LOGGING["root"], "level": "INFO"}}
