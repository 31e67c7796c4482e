import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from banyan.embedded import EmbeddedServer
from settings.env import (
    Environment,
    SettingError,
    absolute_path,
    broker_url,
    flag,
    hosts,
    kept_secret,
    log_level,
    names,
    origins,
    postgresql_url,
    secret_key,
    text,
    whole_number,
)
from settings.routing import CONTEXTS, databases

SERVER = EmbeddedServer(Path("/nowhere/postgres"))
ROOT = Path(__file__).resolve().parents[3]


def test_a_variable_that_is_needed_and_not_set_is_named_with_an_example():
    with pytest.raises(SettingError, match=re.escape("PORT is not set. Set it, for example PORT=8000")):
        Environment({}).read("PORT", whole_number(1, 65535), example="8000")


def test_an_empty_variable_counts_as_not_set():
    assert Environment({"PORT": " "}).read("PORT", whole_number(1, 65535), example="8000", default=80) == 80


@pytest.mark.parametrize(
    ("parse", "value", "problem"),
    [
        (flag, "maybe", "must be one of 1, true, yes, on, 0, false, no, off"),
        (whole_number(1, 9), "ten", "must be a whole number from 1 to 9"),
        (whole_number(1, 9), "10", "must be a whole number from 1 to 9"),
        (names, "a,,b", "must be names separated by single commas"),
        (hosts, "https://banyan.example.com", "must hold host names without scheme or path"),
        (hosts, "*", "would answer to any Host header"),
        (origins, "banyan.example.com", "must hold origins that begin with https://"),
        (log_level, "LOUD", "must be one of DEBUG"),
        (absolute_path, "var/here", "must be an absolute path"),
        (secret_key, "short", "must be at least 50 random characters"),
        (secret_key, "a" * 60, "must be at least 50 random characters"),
        (broker_url, "amqp://rabbit", "must begin with one of redis://"),
        (postgresql_url, "mysql://u:p@h/d", "must begin with postgresql://"),
        (postgresql_url, "postgresql://u:p@h", "must name one database"),
        (postgresql_url, "postgresql://u:p@h/a/b", "must name one database"),
        (postgresql_url, "postgresql:///d", "must name a host"),
        (postgresql_url, "postgresql://u:p@h:port/d", "port that is a number"),
    ],
)
def test_a_value_that_cannot_be_used_names_variable_problem_and_example(parse, value, problem):
    with pytest.raises(SettingError) as refusal:
        Environment({"NAME": value}).read("NAME", parse, example="as-this")
    assert str(refusal.value).startswith("NAME ")
    assert problem in str(refusal.value)
    assert str(refusal.value).endswith("for example NAME=as-this")


def test_the_message_never_repeats_a_secret():
    with pytest.raises(SettingError) as refusal:
        Environment({"DATABASE_URL": "postgresql://u:hunter2@h:x/d"}).read("DATABASE_URL", postgresql_url, example="…")
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_an_environment_does_not_show_its_values():
    assert "hunter2" not in repr(Environment({"DATABASE_URL": "hunter2"}))


@pytest.mark.parametrize(("value", "truth"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)])
def test_flags_are_read_as_people_write_them(value, truth):
    assert flag(value) is truth


def test_text_and_lists_are_kept_as_given():
    environment = Environment({"HOSTS": "a.example.com, b.example.com", "WORD": "as is"})
    assert environment.read("HOSTS", hosts, example="x") == ["a.example.com", "b.example.com"]
    assert environment.read("WORD", text, example="x") == "as is"


def test_a_database_url_is_taken_apart_with_its_escapes_and_options():
    assert postgresql_url("postgresql://us%40er:p%2Fw@db.example.com:6432/my%20data?sslmode=require") == {
        "NAME": "my data",
        "USER": "us@er",
        "PASSWORD": "p/w",
        "HOST": "db.example.com",
        "PORT": "6432",
        "OPTIONS": {"sslmode": "require"},
    }


def test_a_socket_folder_can_stand_for_the_host():
    connection = postgresql_url("postgres:///banyan?host=/var/run/postgresql")
    assert (connection["HOST"], connection["PORT"], connection["OPTIONS"]) == ("/var/run/postgresql", "", {})


def test_without_urls_every_context_has_a_database_on_the_embedded_server():
    chosen = databases(Environment({}), SERVER)
    assert {alias: connection["NAME"] for alias, connection in chosen.items()} == {
        "default": "banyan",
        **{context: f"banyan_{context}" for context in CONTEXTS},
    }
    assert all(connection["EMBEDDED"] is SERVER for connection in chosen.values())


def test_one_url_puts_every_context_on_that_server_and_a_context_can_have_its_own():
    chosen = databases(
        Environment(
            {
                "DATABASE_URL": "postgresql://u:p@one.example.com/firm",
                "FEEDS_DATABASE_URL": "postgresql://f:q@two.example.com/market",
            }
        ),
        SERVER,
    )
    assert (chosen["default"]["HOST"], chosen["default"]["NAME"]) == ("one.example.com", "firm")
    assert (chosen["backtest"]["HOST"], chosen["backtest"]["NAME"]) == ("one.example.com", "firm_backtest")
    assert (chosen["feeds"]["HOST"], chosen["feeds"]["NAME"], chosen["feeds"]["USER"]) == (
        "two.example.com",
        "market",
        "f",
    )
    assert all(connection.get("EMBEDDED") is None for connection in chosen.values())
    assert len({id(connection["OPTIONS"]) for connection in chosen.values()}) == len(chosen)


def test_without_an_embedded_server_a_database_url_is_needed():
    with pytest.raises(SettingError, match="DATABASE_URL is not set"):
        databases(Environment({}), None)


def test_a_kept_secret_is_made_once_and_read_by_its_owner_only(tmp_path):
    path = tmp_path / "below" / "secret"
    first = kept_secret(path)
    assert kept_secret(path) == first
    assert len(first) >= 50
    assert path.stat().st_mode & 0o777 == 0o600


def test_several_processes_at_once_keep_the_same_secret(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        for number in range(20):
            assert len(set(pool.map(kept_secret, [tmp_path / f"secret-{number}"] * 16))) == 1
    assert len(list(tmp_path.iterdir())) == 20


def test_a_kept_secret_is_not_there_before_it_is_whole(tmp_path, monkeypatch):
    seen = []

    def make(length: int) -> str:
        seen.append((tmp_path / "secret").exists())
        return "0123456789" * length

    monkeypatch.setattr("settings.env.secrets.token_urlsafe", make)
    kept_secret(tmp_path / "secret")
    assert seen == [False]


def test_a_file_that_holds_no_secret_is_named(tmp_path):
    (tmp_path / "secret").touch()
    with pytest.raises(SettingError, match="secret must be at least 50 random characters: delete it"):
        kept_secret(tmp_path / "secret")


def test_the_readme_lists_every_variable_that_settings_read():
    sources = "".join(path.read_text() for path in (ROOT / "settings").glob("*.py"))
    read = set(re.findall(r'\.read\(\s*"([A-Z_]+)"', sources)) | {f"{name.upper()}_DATABASE_URL" for name in CONTEXTS}
    listed = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    assert {"DATABASE_URL", "BANYAN_SECRET_KEY"} < read
    assert read <= listed


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("BANYAN_SHARDS", "12", "12"),
        ("BANYAN_SECRET_KEY", "x" * 60, "(hidden)"),
        ("KAFKA_PASSWORD", "hunter2", "(hidden)"),
        ("KAFKA_KEY_FILE", "/etc/banyan/app.key", "/etc/banyan/app.key"),
        (
            "DATABASE_URL",
            "postgresql://banyan:hunter2@db.example.com:5432/banyan?sslpassword=hunter2",
            "postgresql://banyan:(hidden)@db.example.com:5432/banyan?sslpassword=(hidden)",
        ),
        ("CELERY_BROKER_URL", "redis://:hunter2@cache:6379/0", "redis://:(hidden)@cache:6379/0"),
        ("CELERY_BROKER_URL", "redis://cache:6379/0", "redis://cache:6379/0"),
        ("BANYAN_EXTRACTED", "", ""),
    ],
)
def test_settings_are_shown_without_what_is_secret(name, value, shown):
    environment = Environment({name: value})
    environment.read(name, text, example="x", default="")
    assert environment.in_force[name] == (name, shown, bool(value))
    assert "hunter2" not in repr(environment) + repr(environment.in_force)


def test_databases_are_shown_by_their_names_alone():
    environment = Environment({})
    databases(environment, SERVER)
    shown = {each.shown for each in environment.in_force.values()}
    assert "database banyan of the embedded server" in shown
    assert all(each.startswith("database banyan") for each in shown)
