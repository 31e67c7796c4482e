"""A Celery task for `test_standard_library`: which file a worker's `import platform` finds."""

import platform

from settings.celery import app


@app.task(name="platform_probe.where")
def where() -> str:
    """Return the path of the module `platform` in this worker."""
    return str(platform.__file__)
