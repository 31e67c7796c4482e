"""What the base of all commands promises: help that teaches, one line for what was foreseen, exit codes."""

from typing import Any

import pytest
from django.core.management import CommandError, ManagementUtility, get_commands, load_command_class
from django.db import OperationalError, ProgrammingError
from psycopg import errors

from banyan.commands import Action, Command, UsageError, counted, explained
from trading.intervals import IntervalError
from trading.metrics.definitions import CalendarError

OURS = sorted(
    name for name, app in get_commands().items() if app.partition(".")[0] in ("apps", "banyan") and name != "migrate"
)


class Raising(Command):
    """Raises what it is given."""

    def run(self, **options: Any) -> None:
        raise options["error"]


def ended(error: BaseException, **options: Any) -> CommandError:
    with pytest.raises(CommandError) as caught:
        Raising().handle(error=error, **options)
    return caught.value


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("name", OURS)
def test_every_command_teaches_by_examples_and_exit_codes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(load_command_class(get_commands()[name], name), Command)
    with pytest.raises(SystemExit) as caught:
        ManagementUtility(["manage.py", name, "--help"]).execute()
    told = capsys.readouterr().out
    assert caught.value.code == 0
    assert told.partition("examples:")[2].count(f"manage.py {name}") >= 1
    assert "exit codes:" in told
    assert "--settings" not in told


def test_commands_are_many() -> None:
    assert len(OURS) >= 21


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("what was typed"), 2),
        (IntervalError("what was typed"), 2),
        (CalendarError("what was typed"), 1),
        (OSError("what was typed"), 1),
    ],
)
def test_foreseen_error_is_its_text_and_a_code(error: Exception, code: int) -> None:
    assert str(ended(error)) == "what was typed"
    assert ended(error).returncode == code


def test_error_of_a_file_names_the_file() -> None:
    assert str(ended(FileNotFoundError(2, "No such file", "x.csv"))) == "x.csv: No such file"


@pytest.mark.parametrize("bug", [ValueError("a bug"), KeyError("a bug"), AssertionError("a bug")])
def test_bug_keeps_its_traceback(bug: Exception) -> None:
    assert explained(bug) is None
    with pytest.raises(type(bug)):
        Raising().handle(error=bug)


def test_traceback_is_shown_where_it_is_asked_for() -> None:
    with pytest.raises(UsageError):
        Raising().handle(error=UsageError("wrong"), traceback=True)


def test_ctrl_c_says_what_became_of_the_work() -> None:
    assert ended(KeyboardInterrupt()).returncode == 130
    assert "nothing was stored" in str(ended(KeyboardInterrupt()))
    for name in ("import_bars", "import_ticks", "load_sample_data", "resample"):
        assert "batches" in load_command_class("apps.feeds", name).when_stopped


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (caused(ProgrammingError('relation "x" does not exist'), errors.UndefinedTable()), "manage.py migrate"),
        (caused(OperationalError("connection refused"), errors.OperationalError()), "Check DATABASE_URL"),
    ],
)
def test_database_that_cannot_be_used_is_one_line_that_says_what_to_do(error: Exception, says: str) -> None:
    assert says in str(ended(error))
    assert "\n" not in str(ended(error))
    assert ended(error).returncode == 1


def test_reader_that_has_gone_ends_a_command_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.close", lambda: None)
    with pytest.raises(SystemExit) as caught:
        Raising().handle(error=BrokenPipeError())
    assert caught.value.code == 0


def test_counts_have_their_plural() -> None:
    assert [counted(count, "gap") for count in (0, 1, 1200)] == ["0 gaps", "1 gap", "1,200 gaps"]


ACTIONS = [
    pytest.param(name, action, id=f"{name} {action.name}")
    for name in OURS
    for action in getattr(load_command_class(get_commands()[name], name), "actions", ())
]


@pytest.mark.parametrize(("name", "action"), ACTIONS)
def test_every_action_has_help_of_its_own_with_examples_of_itself(
    name: str, action: Action, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        ManagementUtility(["manage.py", name, action.name, "--help"]).execute()
    told = capsys.readouterr().out
    assert caught.value.code == 0
    assert told.startswith(f"usage: manage.py {name} {action.name} ")
    assert action.help[1:].partition("\n")[0] in told
    with pytest.raises(SystemExit):
        ManagementUtility(["manage.py", name, "--help"]).execute()
    assert action.help.partition("\n")[0] in " ".join(capsys.readouterr().out.split())
    if action.examples:
        lines = [line.strip() for line in action.examples.strip().splitlines()]
        assert all(line.startswith(f"manage.py {name} {action.name}") for line in lines)


def test_an_action_takes_its_own_options_and_no_other_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ManagementUtility(["manage.py", "deadletters", "show", "execution", "3", "--all"]).execute()
    assert caught.value.code == 2
    assert "unrecognized arguments: --all" in capsys.readouterr().err
