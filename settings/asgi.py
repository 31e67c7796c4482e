"""The ASGI application, for uvicorn: `uvicorn settings.asgi:application --http settings.asgi:http --lifespan on`.

What reads HTTP has to be named: of those that uvicorn chooses from, the fastest bounds no head of a call.
"""

import os
from typing import Any

from django.conf import global_settings, settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")

application: Any = get_asgi_application()
if settings.STORAGES["staticfiles"]["BACKEND"] == global_settings.STORAGES["staticfiles"]["BACKEND"]:
    # Nobody has collected our files: they are served from where they are.
    application = ASGIStaticFilesHandler(application)

from apps.api.middleware import BODY_MAX, PREFIX  # noqa: E402  (needs the applications, which are set up by now)
from apps.api.serving import Calls  # noqa: E402
from banyan.bodies import Bodies  # noqa: E402
from banyan.endings import Endings  # noqa: E402
from banyan.heads import BoundedHeads  # noqa: E402
from banyan.lifespan import Lifespan  # noqa: E402
from banyan.road import RoadSeen, place_of  # noqa: E402


def _most(path: str) -> int:
    return BODY_MAX if path.startswith(PREFIX) else settings.DATA_UPLOAD_MAX_MEMORY_SIZE


_calls = Calls(application, road=RoadSeen(place_of(settings.DATA_DIR)))
application = Lifespan(Endings(Bodies(_calls, _most, told=PREFIX)), begin=lambda: get_resolver().url_patterns)
http = BoundedHeads
"""What uvicorn is to read HTTP by."""
