"""Compiled kernels are kept in the versioned directory: whole, once, and only for what they were compiled from."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALL = """
import apps
from trading.money import to_tick
print(to_tick(1.26, 0.1, 0), "numba" in sys.modules)
"""


def _start(code: str, data: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", "import sys\n" + code],
        cwd=ROOT,
        env={**os.environ, "BANYAN_DATA_DIR": str(data), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _run(code: str, data: Path, **environment: str) -> str:
    with _start(code, data, **environment) as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    return said.strip()


def _kept(data: Path) -> list[Path]:
    return sorted(data.glob("kernels/*/trading.money.to_tick-*.entry"))


@pytest.mark.parametrize("first", ["numba", "apps.backtest.interface", "apps.backtest.announcing"])
def test_no_import_order_keeps_kernels_beside_their_sources(first: str, tmp_path: Path) -> None:
    assert _run(f"import {first}\n{CALL}", tmp_path).startswith("1.3")
    assert len(_kept(tmp_path)) == 1


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that keeps the kernel."""
    data: Path = tmp_path_factory.mktemp("compiled")
    assert _run(CALL, data) == "1.3 True"
    return data


@pytest.fixture
def data(compiled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    copied: Path = shutil.copytree(compiled, tmp_path / "data")
    return copied


def test_what_one_process_has_compiled_the_next_calls_without_numba(compiled: Path) -> None:
    assert _run(CALL, compiled) == "1.3 False"


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flip_last_bit(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def _of_another_version(content: bytes) -> bytes:
    return content.replace(b"banyan kernel 1", b"banyan kernel 0", 1)


@pytest.mark.parametrize("damage", [_cut, _flip_last_bit, _of_another_version, lambda _: b"", lambda _: b"\n"])
def test_a_file_that_is_not_what_was_written_is_made_again(damage: Callable[[bytes], bytes], data: Path) -> None:
    (file,) = _kept(data)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert _run(CALL, data) == "1.3 True"
    assert _run(CALL, data) == "1.3 False"
    assert _kept(data) == [file]


def test_the_file_of_another_kernel_is_not_taken(data: Path) -> None:
    (file,) = _kept(data)
    _run(CALL.replace("to_tick", "to_step").replace(", 0)", ")"), data)
    (other,) = data.glob("kernels/*/trading.money.to_step-*.entry")
    file.write_bytes(other.read_bytes())
    assert _run(CALL, data) == "1.3 True"


def test_a_setting_of_numba_is_another_directory(data: Path) -> None:
    assert _run(CALL, data, NUMBA_OPT="1") == "1.3 True"
    assert len({file.parent for file in _kept(data)}) == 2


def test_where_nothing_can_be_kept_kernels_are_compiled_all_the_same(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert _run(CALL, blocked / "data") == "1.3 True"


def test_processes_that_need_the_same_kernel_compile_it_once(tmp_path: Path) -> None:
    code = CALL.replace("print(", "print('ready', flush=True)\nsys.stdin.read()\nprint(")
    processes = [_start(code, tmp_path) for _ in range(3)]
    assert [_line(process) for process in processes] == ["ready"] * 3
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    said = [_line(process) for process in processes]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert sorted(said) == ["1.3 False", "1.3 False", "1.3 True"]


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


HOLD = """
import apps
from trading import compiled, native
with native.alone(compiled.cache_directory() / "some.entry"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_process_that_is_killed_while_it_compiles_keeps_nobody_waiting(tmp_path: Path) -> None:
    with _start(HOLD, tmp_path) as holder:
        assert _line(holder) == "held"
        with _start(HOLD, tmp_path) as waiting:
            holder.kill()
            assert _line(waiting) == "held"
            waiting.communicate()


def test_numba_itself_can_be_asked_for(tmp_path: Path) -> None:
    code = CALL.replace("print(", "print(type(to_tick).__module__, ")
    assert _run(code, tmp_path, BANYAN_KERNELS="numba") == "numba.core.registry 1.3 True"
    assert not (tmp_path / "kernels").exists()


def test_with_the_compiler_off_a_kernel_is_its_function(tmp_path: Path) -> None:
    code = CALL.replace("print(", "print(type(to_tick).__name__, ")
    assert _run(code, tmp_path, NUMBA_DISABLE_JIT="1") == "function 1.3 False"
