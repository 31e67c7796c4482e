"""Management commands as they are typed, each in a process that is forked from one that has loaded what they need.

Half of what the tests of real processes took was Python and Django beginning anew for each command.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]


class Commands:
    """Runs commands in an environment, which is that of the moment at which this is made."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._folder = TemporaryDirectory(prefix="banyan-commands-")
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=ROOT, env=self.environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in a folder, and return what it printed, and its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        printed = [Path(self._folder.name) / name for name in ("out", "errors")]
        self._process.stdin.write(json.dumps([arguments, str(folder), *map(str, printed)]) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(arguments, code, *(path.read_text() for path in printed))

    def end(self) -> None:
        """End the process that others are forked from."""
        self._process.communicate()
        self._folder.cleanup()


def serve() -> None:
    """Run what is asked for on standard input, one after the other, and say the exit code of each."""
    import django

    django.setup()
    import_module("settings.roles")  # which has in it what most commands import
    for line in sys.stdin:
        arguments, folder, *printed = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.chdir(folder)
            _be(arguments, *printed)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


def _be(arguments: list[str], out: str, errors: str) -> None:
    """Be a command, to the end of the process."""
    import manage

    for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, out, _NEW), (2, errors, _NEW)):
        os.dup2(os.open(path, flags, 0o600), number)
    code: object = 1
    try:
        sys.argv = ["manage.py", *arguments]
        code = manage.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

if __name__ == "__main__":
    serve()
