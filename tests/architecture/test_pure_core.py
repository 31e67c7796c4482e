"""Contracts, cores, states, kernels and the arithmetic know no clock, no random source, no logger, no environment."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE_NAMES = {"contracts.py", "core.py", "state.py", "building.py", "jumps.py", "pipeline.py"}
FORBIDDEN_MODULES = {"logging", "random", "secrets", "socket", "subprocess", "threading", "asyncio", "time", "uuid"}
FORBIDDEN_CALLS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter", "uuid4", "default_rng", "seed"}
# What is arithmetic and yet touches the machine: compiling, and where it keeps what it compiled.
SHELL = {"compiled.py", "native.py"}


def pure_files() -> list[Path]:
    contexts = [path for path in (ROOT / "apps").glob("*/*.py") if path.name in PURE_NAMES]
    kernels = [*(ROOT / "apps").glob("*/kernels/*.py")]
    trading = [path for path in (ROOT / "platform/trading").rglob("*.py") if path.name not in SHELL]
    return sorted([*contexts, *kernels, *trading])


def impurities(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [name.name for name in names if name.name.partition(".")[0] in FORBIDDEN_MODULES]
            case ast.ImportFrom(module=module) if module and module.partition(".")[0] in FORBIDDEN_MODULES:
                found.append(module)
            case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in FORBIDDEN_CALLS:
                found.append(f"{attribute}()")
            case ast.Attribute(value=ast.Name(id="os"), attr="environ"):
                found.append("os.environ")
    return found


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_decides_knows_no_clock_and_no_chance(path):
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from random import random",
        "import numpy as np\nnp.random.default_rng()",
        "import datetime\ndatetime.datetime.now()",
        "import uuid\nuuid.uuid4()",
        "import os\nos.environ['A']",
        "import logging.handlers",
    ],
)
def test_the_check_sees_what_it_is_there_for(source):
    assert impurities(source) != []
