"""`manage.py jobs`."""

import argparse
import os
import select
import signal
import sys
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from banyan import commands
from banyan.commands import Action

_IDLE_SECONDS = 5.0


class Command(commands.Command):
    """Looks at jobs, cancels them, and works on them."""

    help = "Look at backtests, sweeps and walk-forwards that were asked for in the console or by the API."
    when_stopped = "stopped by Ctrl-C; what was being worked on waits again"
    examples = """
  manage.py jobs list
  manage.py jobs show k7m2p9qa
  manage.py jobs cancel k7m2p9qa"""

    @staticmethod
    def _list(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--owner", default="", metavar="NAME", help="only those that NAME has asked for")
        parser.add_argument(
            "--state", default="", metavar="STATE", help="queued, running, done, failed, cancelled, lost"
        )
        parser.add_argument("--most", type=int, default=20, metavar="N", help="how many, the newest first (20)")

    @staticmethod
    def _one(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("job", metavar="ID", help="a job, as `jobs list` names it")

    actions = (
        Action("list", "list jobs, newest first", _list),
        Action("show", "show a job and what came out, as JSON", _one),
        Action("cancel", "cancel a job", _one),
        Action(
            "work",
            "work on the jobs that wait, as long as standard input is open\n\n"
            "Each line read there has it look at once. Who serves the console and the API starts one by itself "
            "where no broker is configured.",
            lambda _: None,
        ),
        Action("do", "carry out a job that a worker has taken, in this process; workers do this", _one),
    )

    def run(self, **given: Any) -> None:
        """Do what was asked for."""
        getattr(self, f"_do_{given['action']}")(given)

    def _do_list(self, given: dict[str, Any]) -> None:
        from apps.backtest.jobs.keeping import listed

        for each in listed(given["most"], owner=given["owner"], state=given["state"]):
            far = f"{each.done:,}/{each.total:,}" if each.total else ""
            self.say(
                f"{each.id}  {each.state:<9} {far:>13}  {each.kind:<11} {each.strategy:<20} "
                f"{each.submitted_at:%Y-%m-%d %H:%M}  {each.owner}  {each.run or each.problem}".rstrip()
            )

    def _do_show(self, given: dict[str, Any]) -> None:
        from apps.backtest.jobs.results import result

        found = _known(given["job"])
        self.say_json(found._asdict() | {"result": result(found.id, 10)})

    def _do_cancel(self, given: dict[str, Any]) -> None:
        from apps.backtest.jobs.keeping import cancel

        _known(given["job"])
        found = cancel(given["job"])
        assert found is not None
        self.say(f"{found.id} {'ends in a moment' if found.is_stopping and not found.has_ended else found.state}")

    def _do_work(self, _: dict[str, Any]) -> None:
        from apps.backtest.jobs.working import work_off_alone

        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        watch = threading.Thread(target=_set_at_end_of_input, args=(stop, wake := threading.Event()), daemon=True)
        watch.start()
        while not stop.is_set():
            wake.clear()
            work_off_alone(stop.is_set)
            wake.wait(_IDLE_SECONDS)

    def _do_do(self, given: dict[str, Any]) -> None:
        from apps.backtest.jobs.doing import do
        from apps.backtest.jobs.working import MEMORY_MB
        from apps.backtest.models import Job
        from banyan.process.usage import end_with_parent, limit_memory, name_process, step_back

        end_with_parent()
        name_process("job")
        if settings.GIVES_WAY:
            step_back(19)
        limit_memory(MEMORY_MB)
        job = Job.objects.filter(short_id=given["job"]).first()
        if job is None or job.state != "running":
            raise CommandError(f"no worker has taken a job {given['job']}")
        do(job)


def _set_at_end_of_input(stop: threading.Event, wake: threading.Event) -> None:
    while True:
        select.select([sys.stdin.fileno()], [], [])
        if not os.read(sys.stdin.fileno(), 4096):
            break
        wake.set()
    stop.set()
    wake.set()


def _known(job: str) -> Any:
    from apps.backtest.jobs.keeping import find

    found = find(job)
    if found is None:
        raise CommandError(f"there is no job {job}: `manage.py jobs list` shows them", returncode=commands.WRONG_USAGE)
    return found
