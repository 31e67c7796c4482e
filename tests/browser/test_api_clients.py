"""Generated clients work a session each, and what docs/api.md shows works as it stands there.

They call the server that the tests of the console leave behind, with its pipeline.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.console_server import ConsoleServer
from tests.clients.generating import TYPESCRIPT
from tests.documents import ROOT, blocks, shell_lines
from tests.patience import wait_until

ACCOUNT = "BIRCH-03"
OF_BIRCH = [f"BIRCH-{number:02d}" for number in range(1, 26)]
DOCUMENT = "docs/api.md"
WRITTEN_ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module", autouse=True)
def the_last_to_need_it(server) -> Iterator[None]:
    """Stop the server when these tests are done."""
    yield
    server.stop()


@pytest.fixture(scope="module")
def clients_key(server) -> str:
    return made_key(server, "--client", "birch", "--scope", "read", "--scope", "trade")


@pytest.fixture(scope="module")
def firms_key(server) -> str:
    return made_key(server, "--scope", "read", "--scope", "trade", "--scope", "research")


@pytest.fixture(scope="module", autouse=True)
def accounts_trade(server, firms_key) -> None:
    """Wait until what the sample's accounts have traded can be read: the pipeline begins after the server."""
    with httpx.Client(base_url=f"{server.address}/api/v1", headers={"Authorization": f"Bearer {firms_key}"}) as caller:
        wait_until(lambda: caller.get("/fills?client=birch").json()["data"], "birch's accounts to trade")


@pytest.fixture(scope="module")
def python_client(server, tmp_path_factory) -> Path:
    """A folder with the client in Python, made as the document says."""
    folder = tmp_path_factory.mktemp("python")
    typed(made_with("openapi-python-client"), server, folder)
    return folder


@pytest.fixture(scope="module")
def typescript(server, node, tmp_path_factory) -> Path:
    """A folder with the types in TypeScript, made as the document says, and what is written for them, compiled."""
    folder = tmp_path_factory.mktemp("typescript")
    for each in (*TYPESCRIPT.glob("*.ts"), TYPESCRIPT / "package.json", TYPESCRIPT / "tsconfig.json"):
        shutil.copy(each, folder)
    (folder / "node_modules").symlink_to(node / "node_modules")
    for number, block in enumerate(blocks(DOCUMENT, "ts")):
        (folder / f"block{number}.ts").write_text(block + "\nexport {};\n")
    typed(made_with("npx"), server, folder)
    ran(["npx", "tsc"], folder)
    return folder


def made_key(server: ConsoleServer, *rights: str) -> str:
    (key,) = re.findall(r"bnyn_\S+", server.manage("api_keys", "make", "--name", "generated", *rights))
    return key


def made_with(program: str) -> str:
    (line,) = [each for each in shell_lines(DOCUMENT) if each.startswith(program)]
    return line


def typed(line: str, server: ConsoleServer, folder: Path, **more: str) -> str:
    """Run a line of the document in a shell, against the server of these tests; return what it printed."""
    return ran(["bash", "-ec", line.replace(WRITTEN_ADDRESS, server.address)], folder, **more)


def ran(command: list[str], folder: Path, **more: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path, **more}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def check_session(printed: str) -> None:
    """A session has listed accounts, ordered once, read and heard of the order, and been told what was wrong."""
    found = json.loads(printed.splitlines()[-1])
    assert found["accounts"] == OF_BIRCH
    first, again, other = (found[name] for name in ("first", "again", "other"))
    assert again == first | {"replayed": True}
    assert not first["replayed"]
    assert (other["code"], other["status"]) == ("idempotency-key-reused", 422)
    assert other["remedy"]
    order = found["order"]
    assert (order["account"], order["lots"], order["set"]) == (ACCOUNT, "1000", "manual")
    assert found["states"][-1] == "Canceled"
    assert "New" in found["states"]
    assert found["nobody"]["code"] == "not-found"


def session(server: ConsoleServer, key: str) -> dict[str, str]:
    return {"BANYAN_URL": server.address, "BANYAN_KEY": key, "BANYAN_ACCOUNT": ACCOUNT}


def test_a_client_in_python_works_a_session(server, clients_key, python_client):
    more = session(server, clients_key) | {"PYTHONPATH": str(python_client)}
    check_session(ran([sys.executable, str(ROOT / "tests" / "clients" / "session.py")], python_client, **more))


def test_a_client_in_typescript_works_a_session(server, clients_key, typescript):
    check_session(ran(["node", "built/session.js"], typescript, **session(server, clients_key)))


def test_the_python_of_the_document_runs_as_it_stands(server, firms_key, python_client):
    for block in blocks(DOCUMENT, "python"):
        source = block.replace(WRITTEN_ADDRESS, server.address)
        ran([sys.executable, "-c", source], python_client, KEY=firms_key)


def test_the_typescript_of_the_document_runs_as_it_stands(server, firms_key, typescript):
    for built in sorted((typescript / "built").glob("block*.js")):
        source = built.read_text().replace(WRITTEN_ADDRESS, server.address)
        built.write_text(source)
        ran(["node", str(built)], typescript, KEY=firms_key)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("/accounts", '"data"'), ("/orders", '"version"'), ("/jobs", '"job"'), ("/streams", "event: begin")],
)
def test_curl_as_it_is_typed_gets_its_answer(server, firms_key, tmp_path, asked, answered):
    lines = [each for each in shell_lines(DOCUMENT) if each.startswith("curl") and f"/api/v1{asked}" in each]
    assert lines
    for line in lines:
        # A stream does not end by itself: it is left after its first event.
        left = "; } | head -n 3" if asked == "/streams" else "; }"
        assert answered in typed(f"{{ {line}{left}", server, tmp_path, KEY=firms_key)
