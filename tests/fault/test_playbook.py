"""docs/playbook.md, followed word by word: each line typed in its terminal, in the order in which they stand there."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from urllib.error import URLError

import pytest

from banyan.kafka import Cluster
from tests.documents import text_of
from tests.fault.service import delete_topics, join_kafka
from tests.fault.system import ROOT, System
from tests.fault.test_pipeline import is_quiet
from tests.fault.test_shadow import is_followed, status
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.soak  # of the core are the same steps in test_stages.py and test_feeds_service.py
LINE = re.compile(r"^    (\w+)\$ (.+)$", re.MULTILINE)
PORT = "8101"
BEFORE, RISK, FEEDS = "## Before", "## Risk", "## A feed"
MOVES = ("canary", "live", "extract", "rollback")


class Terminals:
    """The terminals of the page. What `app`, `service` and `file` run stays in their foreground, others wait for it."""

    def __init__(self, system: System, context: str) -> None:
        self.system, self.context = system, context
        self.told: list[str] = []
        self._environments: dict[str, dict[str, str]] = {}
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._seen: dict[str, str] = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = str(free.getsockname()[1])

    def type(self, terminal: str, line: str) -> None:
        environment = self._environments.setdefault(terminal, dict(self.system.environment))
        self.told.append(f"{terminal}$ {line}")
        words = shlex.split(line, comments=True)
        match words:
            case ["make", *_]:
                pass  # this checkout is set up, and its Kafka runs
            case ["^C"]:
                self.end(terminal)
            case ["export", setting]:
                name, _, value = setting.partition("=")
                environment[name] = value
            case ["unset", name]:
                del environment[name]
            case ["curl", "-f", address]:
                self.system.wait_for(address, lambda: self._answers(address.replace(PORT, self._port)))
            case _ if terminal == "you" or "migrate" in words:
                self._run(words, environment)
            case _:
                self._start(terminal, line, environment)

    def _answers(self, address: str) -> bool:
        try:
            return urllib.request.urlopen(address, timeout=5).status == 200
        except (URLError, OSError):
            return False

    def _run(self, words: list[str], environment: dict[str, str]) -> None:
        if words[:2] == ["manage.py", "extract"] and words[2] in (*MOVES, "verify"):
            self._wait(environment)
        if words[:2] == ["manage.py", "verify"]:
            self.system.wait_for("rest", lambda: is_quiet(self.system))
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        self.told += [f"    {each}" for each in (done.stdout + done.stderr).splitlines()]
        # A plan tells what is not so yet, and that is its purpose.
        assert done.returncode == 0 or "plan" in words, "\n".join(self.told)

    def _wait(self, environment: dict[str, str]) -> None:
        """Do what the page calls waiting."""
        if self.context == "risk":
            self.system.wait_for("rest", lambda: is_quiet(self.system))
        if "BANYAN_EXTRACTED" not in environment and status(self.system, self.context)["stage"] != "inprocess":
            self.system.wait_for("the follower", self._has_followed)

    def _has_followed(self) -> bool:
        """Tell whether the follower is level, and has been compared in enough since stages were changed."""
        return is_followed(self.system, self.context) if self.context == "risk" else self._goes_on()

    def _goes_on(self) -> bool:
        """Tell whether more has come of a feed that never rests, and its follower has it."""
        [key] = status(self.system, self.context)["keys"]
        before = self._seen.setdefault("number", str(key["number"]))
        if key["compared"] is None or key["compared"] < int(before) + 30:
            return False
        del self._seen["number"]
        return True

    def _start(self, terminal: str, line: str, environment: dict[str, str]) -> None:
        line = line.replace("manage.py", f"{sys.executable} manage.py").replace("python -m", f"{sys.executable} -m")
        if "extract." in line:
            line += f" --health 127.0.0.1:{self._port}"
        line = line.replace("var/", f"{self.system.folder}/")
        with (self.system.folder / f"{terminal}.log").open("a") as log:
            self._running[terminal] = subprocess.Popen(
                ["bash", "-c", f"{'' if '|' in line else 'exec '}{line}"], cwd=ROOT, env=environment, stdout=log,
                stderr=log, text=True, start_new_session=True,
            )  # fmt: skip

    def end(self, terminal: str) -> None:
        """Press Ctrl-C; what has to be killed because it takes longer than a few seconds, says so by 1."""
        process = self._running.pop(terminal)
        # A shell's loop may miss Ctrl-C between two of its words, and whoever sits there presses it again.
        pressed = signal.SIGTERM if terminal == "file" else signal.SIGINT
        os.killpg(process.pid, pressed)
        assert process.wait(timeout=PATIENCE_SECONDS) in (0, 1, -pressed, 128 + pressed)

    def close(self) -> None:
        for process in self._running.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self, terminal: str) -> str:
        return (self.system.folder / f"{terminal}.log").read_text()


@pytest.fixture
def terminals(system: System, kafka: Cluster, request: pytest.FixtureRequest) -> Iterator[Terminals]:
    name = join_kafka(system, kafka, **{request.param: f"{request.param}_service"})
    made = Terminals(system, request.param)
    yield made
    made.close()
    sys.stdout.write("\n".join(made.told))
    delete_topics(kafka, name)


@pytest.mark.parametrize(("terminals", "chapter"), [("risk", RISK), ("feeds", FEEDS)], indirect=["terminals"])
def test_the_playbook_is_followed_word_by_word(terminals, chapter):
    page = text_of("docs/playbook.md")
    chapters = {each: page.partition(f"{each}\n")[2].partition("\n## ")[0] for each in (BEFORE, RISK, FEEDS)}
    before = [each for each in LINE.findall(chapters[BEFORE]) if chapter == RISK or each[0] == "you"]
    for terminal, line in (*before, *LINE.findall(chapters[chapter])):
        if chapter == FEEDS and " replay " in line:
            continue  # the bars of its file are those of the replay
        terminals.type(terminal, line.replace("=var/", f"={terminals.system.folder}/"))
    told = "\n".join(terminals.told)
    for stage in ("inprocess → shadow", "shadow → canary", "canary → live", "live → extracted", "extracted → live"):
        assert f"{terminals.context}: {stage} (change" in told
    assert "shadow → inprocess (change" in told
    assert "BROKEN" not in told
    for terminal in ("app", "service"):
        assert "Traceback" not in terminals.log(terminal)
