"""What somebody else has chosen is no formula where people open it."""

import pytest

from apps.reporting.books.form import field_of
from apps.reporting.books.lines import _fields
from banyan.spreadsheets import are_texts, as_text

FORMULAS = [
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠A1",
    "-",
    "--1",
    "-1e5",
    "-.",
    "-²",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_would_be_computed_is_a_text(text):
    assert as_text(text) == f"'{text}"
    assert not are_texts(["x", text])


@pytest.mark.parametrize("text", ["", "-1", "-1.5", "-.5", "1", "A1", "a=b", "OANDA:EURUSD", " =1", "'=1", "£1"])
def test_numbers_and_other_texts_stay_as_they_are(text):
    assert as_text(text) == text


@pytest.mark.parametrize("text", FORMULAS)
def test_the_books_of_clients_hold_what_brokers_say_as_texts(text):
    """Execution ids and reasons are theirs, and the files are their customers'."""
    assert field_of(text).lstrip('"').startswith("'")
    assert _fields(["e1", text, "e2"])[1].decode().lstrip('"').startswith("'")
    assert _fields(["e1", "e2"]) == [b"e1", b"e2"]
