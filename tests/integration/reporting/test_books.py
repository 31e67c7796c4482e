"""Tradebooks and orderbooks: each line once, whole, in its account's own directory, wherever the writer was killed."""

import csv
import os
import random
import shutil
import stat
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from apps.execution.contracts import client_order_id
from apps.reporting.books import files as files_module
from apps.reporting.books.files import BookFiles, directory_name
from apps.reporting.books.form import COLUMNS, ORDERBOOK, TRADEBOOK, Known, Owner, field_of, header
from apps.reporting.books.keeping import SYNC_SECONDS, BooksKeeper, rebuild
from apps.reporting.following import Follower
from apps.reporting.sources import LogError
from tests.integration.reporting.conftest import read_all
from tests.integration.reporting.recorded import SHARD
from tests.integration.reporting.test_read_models import trade_at_random
from tests.oracles.book_lines import Line, lines_of, portions_of
from tests.profiles import examples
from tests.unit.execution.desk import EURUSD

needs_database = pytest.mark.django_db(databases=["reporting"], transaction=True)
OWNER = Owner("A1", "one", "USD")


def all_lines(desk):
    known, lines = Known({}, {}), []
    for step in desk.execution.kept[SHARD]:
        lines += lines_of(known, step)[0]
    return lines


def expected(desk):
    """Every file as it must be, by (client, account, file)."""
    texts = {}
    for line in all_lines(desk):
        place = line.owner.client, line.owner.account, line.file
        texts[place] = texts.get(place, header(line.file)) + line.text
    return texts


def on_disk(root):
    return {
        (path.parent.parent.name, path.parent.name, path.stem): path.read_text() for path in root.rglob("*.csv")
    }  # fmt: skip


@pytest.fixture
def root(tmp_path):
    return tmp_path / "clients"


@pytest.fixture
def traded(desk):
    trade_at_random(desk, 5, rounds=10)
    return desk


def keeper(root, boot="b1", clock=lambda: 0.0):
    return BooksKeeper(root, boot, clock)


@needs_database
def test_files_are_exactly_what_the_log_says(traded, root):
    follower = Follower([traded.execution], keeper(root))
    read_all(follower)
    follower.close()
    assert on_disk(root) == expected(traded)
    assert len(on_disk(root)) == 8


def test_what_is_in_the_files_adds_up_to_the_books_of_execution(traded, root):
    BookFiles(root).append(portions_of(all_lines(traded)))
    for number in (1, 2, 3, 4):
        client = "one" if number < 3 else "two"
        with (root / client / f"A{number}" / "tradebook.csv").open() as file:
            trades = list(csv.DictReader(file))
        cash = sum(round(float(each["amount"]) * 1e6) - round(float(each["fee"]) * 1e6) for each in trades)
        assert cash + 10_000 * 10**6 == traded.balance(number)
        steps = sum(round(float(each["lots"]) * 100) for each in trades if each["instrument"] == EURUSD.id)
        cell = traded.state.cell_rows[traded.state.instruments.known(EURUSD.id), traded.state.row_of[number]]
        assert steps == traded.state.cells.rows[cell].held
        with (root / client / f"A{number}" / "orderbook.csv").open() as file:
            orders = list(csv.DictReader(file))
        first = next(each for each in orders if each["instrument"] == EURUSD.id)
        assert first["event"] == "requested"
        assert first["order"] == client_order_id(f"A{number}", EURUSD.id, 1)
        assert {"requested", "released", "accepted", "filled"} <= {each["event"] for each in orders}


@needs_database
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 4))])
def test_a_writer_that_dies_anywhere_and_reads_again_writes_everything_once(traded, root, monkeypatch, seed):
    chance = random.Random(seed)
    monkeypatch.setattr("apps.reporting.following.RECORDS_MAX", 5)
    whole = os.write

    def dies(handle, content):
        if chance.randrange(6):
            return whole(handle, bytes(content)[: chance.randrange(1, len(content) + 1)])
        whole(handle, bytes(content)[: chance.randrange(len(content))])
        raise SystemExit("killed")

    done = False
    deaths = 0
    while not done:
        follower = Follower([traded.execution], keeper(root))
        try:
            monkeypatch.setattr(files_module.os, "write", dies)
            read_all(follower)
            done = True
        except SystemExit:
            deaths += 1
            monkeypatch.setattr(files_module.os, "write", whole)
            follower._connection.close()  # nothing else is done in order: the process is gone
    monkeypatch.setattr(files_module.os, "write", whole)
    assert deaths > 3
    assert on_disk(root) == expected(traded)


def test_a_file_that_ends_at_any_byte_is_continued_without_a_broken_line(traded, root):
    mine = [line for line in all_lines(traded) if line.owner.account == "A1" and line.file == ORDERBOOK][:6]
    written = header(ORDERBOOK) + "".join(line.text for line in mine)
    path = BookFiles(root).path("one", "A1", ORDERBOOK)
    path.parent.mkdir(parents=True, mode=0o700)
    for cut in range(len(written) + 1):
        path.write_text(written[:cut])
        files = BookFiles(root)
        last = files.repair(path, ORDERBOOK)
        assert path.read_text() in [
            header(ORDERBOOK) + "".join(line.text for line in mine[:count]) for count in range(len(mine) + 1)
        ]
        assert last == max([line.position for line in mine if line.text in path.read_text()], default=(0, 0, 0))
        files.append(portions_of(mine))
        assert path.read_text() == written, f"cut at byte {cut}"


def test_zeros_that_a_lost_machine_left_at_the_end_are_cut_off(traded, root):
    mine = [line for line in all_lines(traded) if line.owner.account == "A1" and line.file == TRADEBOOK]
    files = BookFiles(root)
    files.append(portions_of(mine[:3]))
    path = files.path("one", "A1", TRADEBOOK)
    with path.open("ab") as file:
        file.write(b"\0" * 9_000 + b"\n\0")
    BookFiles(root).append(portions_of(mine))
    assert path.read_text() == header(TRADEBOOK) + "".join(line.text for line in mine)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@examples(1.0)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6), st.data())
def test_whatever_is_in_the_fields_a_file_can_be_cut_and_continued(tmp_path_factory, fields, data):
    root = tmp_path_factory.mktemp("books")
    made = []
    for number, (instrument, name) in enumerate(fields, start=1):
        cells = [f"{number}.1.0", "", "requested", instrument, "", "1", "1", name, "", ""]
        text = ",".join([*cells[:3], field_of(instrument), *cells[4:7], field_of(name), "", ""])
        made.append(Line(OWNER, ORDERBOOK, (number, 1, 0), text + "\n"))
        (row,) = csv.reader([text])
        assert len(row) == len(COLUMNS[ORDERBOOK])
    written = (header(ORDERBOOK) + "".join(line.text for line in made)).encode()
    files = BookFiles(root)
    path = files.path("one", "A1", ORDERBOOK)
    files.append(portions_of(made))
    assert path.read_bytes() == written
    path.write_bytes(written[: data.draw(st.integers(0, len(written)))])
    begin = data.draw(st.integers(0, len(made)))
    BookFiles(root).append(portions_of(made[:begin]))
    BookFiles(root).append(portions_of(made))
    assert path.read_bytes() == written
    shutil.rmtree(root)


@needs_database
def test_two_writers_at_once_write_every_line_once(traded, root):
    one, other = BookFiles(root), BookFiles(root)
    lines = all_lines(traded)
    for begin in range(0, len(lines), 3):
        one.append(portions_of(lines[: begin + 2]))
        other.append(portions_of(lines[: begin + 3]))
    other.append(portions_of(lines))
    assert on_disk(root) == expected(traded)


@needs_database
def test_after_the_machine_went_down_reading_begins_where_files_were_on_the_disk(traded, root):
    now = [0.0]
    early = traded.execution.kept[SHARD][:-20]
    late = traded.execution.kept[SHARD][-20:]
    traded.execution.kept[SHARD] = early
    follower = Follower([traded.execution], keeper(root, clock=lambda: now[0]))
    read_all(follower)
    now[0] += SYNC_SECONDS
    traded.execution.kept[SHARD] = [*early, *late[:10]]
    read_all(follower)  # given to the disk at the end of this
    kept = {path: path.read_bytes() for path in root.rglob("*.csv")}
    traded.execution.kept[SHARD] = [*early, *late]
    read_all(follower)
    assert {path: path.read_bytes() for path in root.rglob("*.csv")} != kept
    follower._connection.close()
    for path, content in kept.items():
        path.write_bytes(content)  # what came after was not on the disk
    assert on_disk(root) != expected(traded)
    read_all(Follower([traded.execution], keeper(root, boot="b2")))
    assert on_disk(root) == expected(traded)


@needs_database
def test_a_rebuild_gives_the_same_files_and_tells_which_were_otherwise(traded, root):
    files = BookFiles(root)
    files.append(portions_of(all_lines(traded)))
    assert rebuild(traded.execution, root) == (8, [])
    path = files.path("two", "A3", TRADEBOOK)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], *lines[3:]]))
    gone = files.path("one", "A1", ORDERBOOK)
    gone.unlink()
    assert rebuild(traded.execution, root, ["A3"]).different == [path]
    assert rebuild(traded.execution, root).different == [gone]
    assert on_disk(root) == expected(traded)
    assert {each.name for each in root.iterdir()} == {"one", "two"}
    files.append(portions_of(all_lines(traded)))
    assert on_disk(root) == expected(traded), "a writer that had the old files open goes on in the new ones"


@needs_database
def test_a_rebuild_keeps_what_was_appended_meanwhile(traded, root):
    BookFiles(root).append(portions_of(all_lines(traded)))
    whole = on_disk(root)
    kept = traded.execution.kept[SHARD]
    traded.execution.kept[SHARD] = kept[: len(kept) // 2]
    rebuild(traded.execution, root)
    assert on_disk(root) == whole


@needs_database
def test_a_log_without_its_beginning_is_not_rebuilt_from(traded, root):
    BookFiles(root).append(portions_of(all_lines(traded)))
    whole = on_disk(root)
    traded.execution.kept[SHARD].pop(0)
    with pytest.raises(LogError, match="begins at record 2"):
        rebuild(traded.execution, root)
    assert on_disk(root) == whole


def line_of(client, account):
    return Line(Owner(account, client, "USD"), TRADEBOOK, (1, 1, 0), "1.1.0" + "," * 11 + "\n")


@pytest.mark.parametrize(
    "name", ["..", ".", "", "/etc", "../../x", "a/b", "a\0b", "~", "%", ".hidden", "x" * 300, "ü" * 64, "con\n", "a b"]
)
def test_no_name_leads_out_of_the_directory_and_none_fails(root, name):
    BookFiles(root).append(portions_of([line_of(name, name)]))
    (path,) = root.rglob("tradebook.csv")
    assert path.resolve() == path
    assert path.relative_to(root).parts[2:] == ("tradebook.csv",)
    for directory in (root, path.parent, path.parent.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@given(st.lists(st.text(max_size=90), min_size=2, max_size=8, unique=True))
def test_different_names_have_different_directories(names):
    made = [directory_name(name) for name in names]
    assert len(set(made)) == len(names)
    assert all(len(name) <= 255 and "/" not in name and not name.startswith(".") for name in made)


def test_a_link_in_the_place_of_a_file_or_a_directory_is_not_followed(root, tmp_path, caplog):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root.mkdir(mode=0o700)
    (root / "one").symlink_to(elsewhere)
    (root / "two" / "A2").mkdir(parents=True)
    (root / "two" / "A2" / "tradebook.csv").symlink_to(elsewhere / "stolen")
    lines = [line_of("one", "A1"), line_of("two", "A2"), line_of("three", "A3")]
    assert BookFiles(root).append(portions_of(lines)) == 1
    assert "must be a directory of the user" in caplog.text
    assert "symbolic links" in caplog.text
    assert list(elsewhere.iterdir()) == []


def test_a_file_that_is_no_book_is_left_alone_and_told_of_once(root, caplog):
    files = BookFiles(root)
    path = files.path("one", "A1", TRADEBOOK)
    path.parent.mkdir(parents=True)
    path.write_text("my own notes\n")
    for _ in range(2):
        assert files.append(portions_of([line_of("one", "A1"), line_of("one", "A2")])) <= 1
    assert path.read_text() == "my own notes\n"
    assert len(caplog.records) == 1
    assert "not with its header: move it away; then `manage.py books rebuild A1`" in caplog.text
    assert files.path("one", "A2", TRADEBOOK).exists()


@pytest.mark.django_db(databases=["reporting", "execution"], transaction=True)
def test_the_command_tells_where_files_are_and_how_far(desk, follower, capsys):
    call_command("books", "status")
    assert capsys.readouterr().out == "no log has begun yet\n"
    desk.open(1)
    read_all(follower)
    call_command("books", "path", "A1")
    assert capsys.readouterr().out.splitlines() == [
        str(Path(settings.BOOKS_DIR) / "c" / "A1" / f"{file}.csv") for file in (TRADEBOOK, ORDERBOOK)
    ]
