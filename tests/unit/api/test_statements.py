"""Statements on paper: read again from their pages, they say all that they were made of."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pypdfium2
import pytest

from apps.api.statements import Statement, pdf_of
from apps.reporting.interface import FoundAccount, PnlRow

MADE_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HELD = FoundAccount("BIRCH-01", "birch", "paper", "USD", 100_000.0, 100_123.456789, 0.0, 10**18, 1, 0)


def row(day, currency="USD", *, fills=1, realised=1.5, unrealised=-0.25, swap=0.0, dividends=0.0, fees=0.1):
    total = None if unrealised is None else realised + unrealised + swap + dividends - fees
    return PnlRow((day,), currency, fills, realised, unrealised, swap, dividends, fees, total)


def pages_of(statement):
    """Return the lines of each page."""
    document = pypdfium2.PdfDocument(pdf_of(statement, MADE_AT))
    try:
        return [page.get_textpage().get_text_range().splitlines() for page in document]
    finally:
        document.close()


def test_every_page_has_its_heads_and_number_and_no_row_is_lost():
    days = [f"{2000 + number // 365}-{number % 365:03d}" for number in range(300)]
    pages = pages_of(Statement(["day"], [], [row(day) for day in days]))
    assert len(pages) > 3
    told = [line.split()[0] for page in pages for line in page if re.match(r"\d{4}-\d{3} ", line)]
    assert told == days
    for number, lines in enumerate(pages, 1):
        assert "day currency fills realised unrealised swap dividends fees total" in lines
        assert any(f"page {number} of {len(pages)}" in line for line in lines)
    assert any(line.startswith("all USD 300 450.00 -75.00 ") for line in pages[-1])


def test_each_currency_comes_to_what_its_rows_do_and_what_is_not_known_is_no_number():
    rows = [row("1", realised=0.1), row("2", realised=0.2), row("3", "EUR"), row("4", "EUR", unrealised=None)]
    (lines,) = pages_of(Statement(["day"], [], rows))
    assert "all USD 2 0.30 -0.50 0.00 0.00 0.20 -0.40" in lines
    assert "all EUR 2 3.00 — 0.00 0.00 0.20 —" in lines
    assert "4 EUR 1 1.50 — 0.00 0.00 0.10 —" in lines


def test_long_numbers_stay_whole_and_long_names_are_cut():
    names = ("A" * 64, "Żółć Ελλάδα " + "s" * 52, "OANDA:EURUSD")
    most = 123_456_789_012.123456
    numbers = PnlRow(names, "USD", 10**9, -most, most, -most, most, most, -most)
    ((*_, whole, _, _),) = [
        lines[-4:] for lines in pages_of(Statement(["account", "set", "instrument"], [], [numbers]))
    ]
    written = re.findall(r"-?[\d,]+\.\d+", whole)
    assert [Decimal(each.replace(",", "")) for each in written] == [
        Decimal(f"{each:.6f}") for each in (-most, most, -most, most, most, -most)
    ]
    assert "…" in whole
    assert "Żółć" in whole
    assert "OANDA:EURUSD USD" in whole


@pytest.mark.parametrize("account", [None, HELD])
def test_a_statement_says_what_it_is_of(account):
    (lines,) = pages_of(Statement(["day"], ["account BIRCH-01"], [], account))
    assert "Profit by day, account BIRCH-01" in lines
    assert ("Account BIRCH-01 of birch, held at paper, in USD" in lines) == (account is not None)
    assert any("equity 100,123.456789 at 2001-09-09" in line for line in lines) == (account is not None)
    assert any("made 2026-03-01 12:00:00 UTC" in line for line in lines)
