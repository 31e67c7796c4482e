"""Nobody writes a line of the log but we."""

import io
import logging

import pytest

from banyan.log_lines import OneLine
from settings import base
from settings.services import each


@pytest.fixture
def log():
    """Return a logger, and what it writes."""
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    handler.setFormatter(OneLine("{levelname} {name}: {message}", style="{"))
    logger = logging.getLogger("ours")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, told
    logger.removeHandler(handler)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_what_somebody_has_said_begins_no_line(log, end):
    logger, told = log
    logger.warning("the account %s is unknown", f"A1{end}INFO ours: all is well")
    assert len(told.getvalue().splitlines()) == 1
    assert "A1\\" in told.getvalue()


def test_nothing_moves_the_cursor_or_turns_the_text_of_who_reads_it(log):
    logger, told = log
    logger.warning("%s", "\x1b[2J\x9b31m\b\u202eevil\0")
    assert told.getvalue() == "WARNING ours: \\x1b[2J\\x9b31m\\x08\\u202eevil\\x00\n"


def test_what_an_exception_says_cannot_pass_for_a_line_of_ours(log):
    logger, told = log
    try:
        raise ValueError("no such account: A1\nINFO ours: all is well\x1b[2J")
    except ValueError:
        logger.exception("it failed")
    first, *traceback = told.getvalue().splitlines()
    assert first == "ERROR ours: it failed"
    assert all(line.startswith("  | ") for line in traceback)
    assert traceback[-1] == "  | INFO ours: all is well\\x1b[2J"


def test_letters_of_all_languages_stay_as_they_are(log):
    logger, told = log
    logger.warning("Überweisung, 総額, 100 €\tok")
    assert told.getvalue() == "WARNING ours: Überweisung, 総額, 100 €\tok\n"


@pytest.mark.parametrize("settings", [base, each])
def test_the_app_and_its_services_write_such_lines(settings):
    assert settings.LOGGING["formatters"]["line"]["class"] == "banyan.log_lines.OneLine"
    assert {each["class"] for each in settings.LOGGING["handlers"].values()} == {"logging.StreamHandler"}
