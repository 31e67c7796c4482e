"""`manage.py warm`: compile ahead what the system would compile when it first runs."""

import time
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from banyan import commands


class Command(commands.Command):
    """Compile what live decisions need."""

    help = (
        "Compile the kernels that `manage.py run` needs, once for these sources on this machine, so that its first "
        "start is as fast as every other. What is compiled is kept in the data folder; a second time takes seconds."
    )
    examples = """
  manage.py warm
"""

    def run(self, **options: Any) -> None:
        """Compile, and say how long it took."""
        started = time.monotonic()
        import_string(settings.PREPARE)()
        self.say(f"live decisions are compiled and ready, in {time.monotonic() - started:.1f} s")
