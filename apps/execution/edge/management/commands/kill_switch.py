"""`manage.py kill_switch`: stop all new orders of this machine, and let them go again."""

import os
import select
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from apps.execution.edge.kill_switch import BEAT_SECONDS, HeardSwitch, KillSwitch
from banyan import commands
from banyan.clock import SystemClock


class Command(commands.Command):
    """Throw the kill switch, lift it, or say how it stands."""

    help = (
        "Stop new orders at once: the edge looks at the switch right before it writes to a broker, whatever else "
        "works or does not, and sends only while it hears from the central switch (`manage.py run switch`) that it "
        "is clear. Cancels and reduce-only orders pass. Thrown, it holds through restarts until it is lifted."
    )
    examples = """
  manage.py kill_switch throw --reason "prices look wrong"
  manage.py kill_switch status
  manage.py kill_switch lift"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        parser.add_argument("action", choices=("throw", "lift", "status"))
        parser.add_argument("--reason", default="", help="why, for those who find it thrown")

    def run(self, **options: Any) -> None:
        """Do it."""
        switch = KillSwitch(settings.KILL_SWITCH)
        match options["action"]:
            case "throw":
                if not options["reason"]:
                    raise commands.UsageError("give --reason: somebody will have to decide when to lift it")
                switch.throw(options["reason"])
                self.say("thrown: no new order leaves; `manage.py kill_switch lift` lets them go again")
            case "lift":
                self.say("lifted" if switch.lift() else "it had not been thrown")
            case _:
                reason = switch.reason()
                if reason:
                    self.say(f"THROWN: {reason}")
                else:
                    self.say("clear" if is_heard() else "SILENT: no new order leaves until `manage.py run switch` runs")


def is_heard() -> bool:
    """Tell whether the central switch is heard on this machine."""
    ear = HeardSwitch(settings.KILL_SWITCH, SystemClock(), name=f"status-{os.getpid()}")
    select.select([ear.fileno()], [], [], 5 * BEAT_SECONDS)
    heard = ear.is_clear()
    ear.close()
    return heard
