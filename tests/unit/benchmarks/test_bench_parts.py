"""Works in parts: what was measured before a part failed is there."""

import io
import json
import sys
from typing import Self

import pytest

from tests.benchmarks import parts
from tests.benchmarks.parts import Told, parts_apart, tell


def test_a_part_that_fails_is_told_and_the_others_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> dict[str, int]:
        raise RuntimeError("no connection\nleft")

    tell("first,second,third", {"first": lambda: {"n": 1}, "second": fails, "third": lambda: {"n": 3}})
    told = [Told(*json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert told == [
        Told("first", {"n": 1}), Told("second", {}, "RuntimeError: no connection left"), Told("third", {"n": 3}),
    ]  # fmt: skip


def test_what_a_part_prints_is_not_taken_for_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    tell("only", {"only": lambda: {"written": sys.stdout.write("hello\n")}})
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_parts_that_a_process_has_not_come_to_have_failed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended:
        stdout = io.StringIO(json.dumps(Told("first", {"n": 1})) + "\n")
        returncode = -9

        def __init__(self, *_: object, **__: object) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(parts.subprocess, "Popen", Ended)
    told = list(parts_apart("a.module", tmp_path, ["first", "second"]))
    assert told[0] == Told("first", {"n": 1})
    assert told[1].part == "second"
    assert "ended with -9" in told[1].problem
