"""The folder `platform/` must never hide the standard library's module, whichever way Python was started."""

import json
import multiprocessing
import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = str(Path(sysconfig.get_paths()["stdlib"]) / "platform.py")
PRINT = "import platform; print(platform.__file__, bool(platform.machine()))"


def where(_: object = None) -> str:
    import platform

    return str(platform.__file__)


def test_pytest_finds_the_standard_library_platform():
    assert platform.__file__ == EXPECTED


def test_manage_py_finds_the_standard_library_platform():
    output = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", PRINT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert output.stdout.split() == [EXPECTED, "True"]


@pytest.mark.parametrize("flags", [[], ["-m", "timeit", "-n1", "-r1"]])
def test_python_started_in_the_project_finds_the_standard_library_platform(flags):
    code = f"import platform; assert platform.__file__ == {EXPECTED!r}, platform.__file__"
    arguments = [*flags, code] if flags else ["-c", code]
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_a_spawned_child_finds_the_standard_library_platform_and_our_packages():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(where) == EXPECTED


def test_a_celery_worker_finds_the_standard_library_platform(tmp_path):
    for folder in ("queue", "control", "results"):
        (tmp_path / folder).mkdir()
    environment = {
        **os.environ,
        "CELERY_BROKER_URL": "filesystem://",
        "CELERY_RESULT_BACKEND": f"file://{tmp_path / 'results'}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "architecture")]),
    }
    transport = {
        "data_folder_in": str(tmp_path / "queue"),
        "data_folder_out": str(tmp_path / "queue"),
        "control_folder": str(tmp_path / "control"),
    }
    configure = (
        "import json, platform_probe; from settings.celery import app;"
        f"app.conf.broker_transport_options = json.loads({json.dumps(transport)!r});"
    )
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            configure + "app.worker_main(['worker', '--pool=prefork', '--concurrency=1', '--loglevel=error',"
            "'--without-gossip', '--without-mingle', '--without-heartbeat'])",
        ],
        cwd=ROOT,
        env=environment,
    )
    try:
        caller = subprocess.run(
            [sys.executable, "-c", configure + "print(platform_probe.where.delay().get(timeout=300))"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=330,
            check=False,
        )
    finally:
        worker.terminate()
        worker.wait(timeout=PATIENCE_SECONDS)
    assert caller.stdout.strip() == EXPECTED, caller.stderr


def test_the_source_root_is_not_a_package_and_holds_no_loose_module():
    loose = [path.name for path in (ROOT / "platform").iterdir() if path.suffix == ".py"]
    assert loose == []


def test_no_module_of_ours_is_named_after_one_of_the_standard_library():
    ours = {path.stem for folder in (ROOT, ROOT / "platform") for path in folder.iterdir() if path.suffix == ".py"}
    ours |= {path.parent.name for folder in (ROOT, ROOT / "platform") for path in folder.glob("*/__init__.py")}
    assert ours & set(sys.stdlib_module_names) == set()
