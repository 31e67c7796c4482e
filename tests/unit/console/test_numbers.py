"""Numbers in the manner of the reader, by what a browser asks for."""

import contextvars

import pytest

from apps.console import numbers
from apps.console.numbers import ENGLISH, manner_of, said, written
from apps.console.templatetags.told import at_tick, change, lots, money, whole


@pytest.fixture(autouse=True)
def own_manner():
    yield
    numbers.use("")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("", "\u22121,234,567.89"),
        ("en-GB,en;q=0.9,de;q=0.8", "\u22121,234,567.89"),
        ("de-DE,de;q=0.9", "\u22121.234.567,89"),
        ("de-CH", "\u22121’234’567.89"),
        ("fr-FR,fr", "\u22121\u00a0234\u00a0567,89"),
        ("en-IN", "\u221212,34,567.89"),
        ("xx,de;q=0.5", "\u22121.234.567,89"),
        ("*", "\u22121,234,567.89"),
        ("; ,,q=1", "\u22121,234,567.89"),
    ],
)
def test_numbers_are_written_as_the_reader_writes_them(asked, told):
    numbers.use(asked)
    assert money(-1_234_567.89) == told


def test_signs_steps_and_small_numbers_keep_what_they_say():
    numbers.use("de")
    assert [change(0.5), lots(-0.1), whole(999), at_tick(1.13, 0.00001)] == ["+0,50", "\u22120,1", "999", "1,13000"]
    numbers.use("hi-IN")
    assert [whole(99_999), whole(100_000), change(-12_345_678)] == ["99,999", "1,00,000", "\u22121,23,45,678.00"]


@pytest.mark.parametrize(
    ("english", "told"),
    [
        ("It was for 36,062 lot steps where 20,000.50 are.", "It was for 36.062 lot steps where 20.000,50 are."),
        ("It holds -1,234.5 lots, worth 0.5.", "It holds -1.234,5 lots, worth 0,5."),
        ("sizing=0.5 risk:1.5 at 10.0.0.1, 12:30:01.250, 2026-03-31 v1.2.3", None),
    ],
)
def test_numbers_in_a_sentence_are_the_readers_and_what_is_typed_or_a_name_stays(english, told):
    assert said(english) == english
    numbers.use("de")
    assert said(english) == (english if told is None else told)


def test_one_request_does_not_change_how_another_writes():
    contextvars.copy_context().run(numbers.use, "de")
    assert written("1,234.5") == "1,234.5"
    assert manner_of("de-de") != ENGLISH
