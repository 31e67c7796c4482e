"""One engine doing one work in a process of its own: `python -m tests.benchmarks.worker ENGINE CASE MODE`.

CASE is a Case as JSON. MODE is "serve" (prepare, warm up, then answer each line `measure N` with the seconds of N
calls, and `facts` with what the last one found), "once" (do the work and say what it found) or "memory" (say how much
more memory the work took than its warmed imports). Answers are JSON, one line each; whatever engines print goes to
stderr.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

from tests.benchmarks.jobs import Case, EngineMissingError, Job, WorkUnsupportedError

# engine -> (its module here, the distributions that it is made of)
ENGINES: dict[str, tuple[str, tuple[str, ...]]] = {
    "banyan": ("tests.benchmarks.ours", ("numba", "numpy")),
    "plain C": ("tests.benchmarks.plain_c", ()),
    "vectorbt": ("tests.benchmarks.peers.vectorbt_portfolio", ("vectorbt", "vectorbt-rust")),
    "vectorbt kernels": ("tests.benchmarks.peers.vectorbt_kernels", ("vectorbt", "vectorbt-rust")),
    "raptorbt": ("tests.benchmarks.peers.raptorbt_engine", ("raptorbt",)),
    "backtesting": ("tests.benchmarks.peers.backtesting_engine", ("backtesting",)),
    "hftbacktest": ("tests.benchmarks.peers.hftbacktest_engine", ("hftbacktest",)),
}


def main() -> None:
    """Do what the command line says."""
    engine, text, mode = sys.argv[1:]
    answers = _own_stdout()
    given = json.loads(text)
    case = Case(given["work"], Path(given["arrays"]), given["numbers"])
    try:
        for answer in {"serve": _serve, "once": _once, "memory": _memory}[mode](engine, case):
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    except (EngineMissingError, ModuleNotFoundError) as error:
        answers.write(json.dumps({"missing": str(error)}) + "\n")
    except WorkUnsupportedError as error:
        answers.write(json.dumps({"unsupported": str(error)}) + "\n")


def _own_stdout() -> TextIO:
    """Return the real stdout and let everything else that is printed go to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _prepare(engine: str, case: Case) -> Job:
    os.environ["RAPTORBT_NO_VERSION_CHECK"] = "1"
    prepared: Job = importlib.import_module(ENGINES[engine][0]).prepare(case)
    return prepared


def _serve(engine: str, case: Case) -> Iterator[dict[str, Any]]:
    job = _prepare(engine, case)
    job.run()
    started = time.perf_counter()
    result = job.run()
    yield {"gives": job.gives, "versions": _versions(engine), "warm_seconds": time.perf_counter() - started}
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        if command == "facts":
            yield job.facts(result)
            continue
        seconds = []
        for _ in range(int(count)):
            started = time.perf_counter()
            result = job.run()
            took = time.perf_counter() - started
            seconds.append(job.seconds(result) if job.seconds else took)
        yield {"seconds": seconds}


def _once(engine: str, case: Case) -> Iterator[dict[str, Any]]:
    job = _prepare(engine, case)
    yield job.facts(job.run())


def _memory(engine: str, case: Case) -> Iterator[dict[str, Any]]:
    warm = Case(case.work, Path(case["warm_arrays"]), case.numbers | case["warm_numbers"])
    job = _prepare(engine, warm)
    job.facts(job.run())
    del job
    before = _status_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the kernel forgets the peak so far
    job = _prepare(engine, case)
    with_input = _status_mb("VmRSS")
    result = job.run()
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    yield {
        "above_imports_mb": _status_mb("VmHWM") - before,
        "input_mb": with_input - before,
        "largest_child_mb": children,
        "facts": job.facts(result),
    }


def _status_mb(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def _versions(engine: str) -> dict[str, str]:
    found = {}
    for name in ENGINES[engine][1]:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


if __name__ == "__main__":
    main()
