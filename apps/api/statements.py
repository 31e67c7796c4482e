"""Statements on paper: profit by group as a PDF, every number in full, with what each currency comes to at the end."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from apps.reporting.interface import FoundAccount, PnlRow

_NUMBERS = ("realised", "unrealised", "swap", "dividends", "fees", "total")
_WIDTH, _HEIGHT = 842.0, 595.0  # A4 across, in points
_MARGIN, _GAP = 40.0, 10.0
_SIZE, _SIZE_MIN, _LEADING = 8.0, 4.0, 1.45
_REGULAR, _BOLD = "DejaVuSans", "DejaVuSans-Bold"


class Statement(NamedTuple):
    """What is told: by which groups, limited to what (in words), of which account where it is of one."""

    by: Sequence[str]
    limits: Sequence[str]
    rows: Sequence[PnlRow]
    account: FoundAccount | None = None


class _Total(NamedTuple):
    currency: str
    fills: int
    amounts: Sequence[Decimal | None]


def pdf_of(statement: Statement, made_at: datetime) -> bytes:
    """Return a statement as a PDF."""
    totals = _totals(statement)
    columns = zip(*(each.amounts for each in totals), *map(_amounts, statement.rows), strict=True)
    places = [max(map(_places, column)) for column in columns]
    told = [
        [*each.group, each.currency, f"{each.fills:,}", *map(_money, _amounts(each), places)] for each in statement.rows
    ]
    at_the_end = [
        ["all", *[""] * (len(statement.by) - 1), each.currency, f"{each.fills:,}", *map(_money, each.amounts, places)]
        for each in totals
    ]
    table = _Table([*statement.by, "currency", "fills", *_NUMBERS], told, at_the_end, len(statement.by) + 1)
    return _drawn(table, list(_heading(statement)), f"made {made_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")


def _heading(statement: Statement) -> Sequence[str]:
    told = [f"Profit by {', '.join(statement.by)}" + "".join(f", {each}" for each in statement.limits)]
    of = statement.account
    if of is not None:
        valued = f" at {datetime.fromtimestamp(of.valued_at_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
        told.append(f"Account {of.account} of {of.client}, held at {of.broker}, in {of.currency}")
        worth = [_money(amount, _places(amount)) for amount in map(_exact, (of.balance, of.equity))]
        told.append(f"Balance {worth[0]}, equity {worth[1]}" + (valued if of.valued_at_ns else ""))
    told.append("total = realised + unrealised + swap + dividends - fees; — where a price is missing")
    return told


def _amounts(row: PnlRow) -> list[Decimal | None]:
    return [None if (value := getattr(row, name)) is None else _exact(value) for name in _NUMBERS]


def _exact(value: float) -> Decimal:
    """Return an amount as it is kept, in millionths."""
    return Decimal(f"{value:.6f}") + 0  # which has no negative zero


def _totals(statement: Statement) -> list[_Total]:
    """Return for each currency what its rows come to."""
    totals = []
    for currency in sorted({each.currency for each in statement.rows}):
        of_currency = [each for each in statement.rows if each.currency == currency]
        sums = [_sum(column) for column in zip(*map(_amounts, of_currency), strict=True)]
        totals.append(_Total(currency, sum(each.fills for each in of_currency), sums))
    return totals


def _sum(values: Sequence[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, Decimal()) if len(known) == len(values) else None


def _places(value: Decimal | None) -> int:
    """Return how many places an amount needs, two at the least."""
    return 2 if value is None else max(2, len(f"{value:f}".partition(".")[2].rstrip("0")))


def _money(value: Decimal | None, places: int) -> str:
    return "—" if value is None else f"{value:,.{places}f}"


class _Table(NamedTuple):
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    totals: Sequence[Sequence[str]]
    left: int
    """How many columns are words; the others are numbers, set to the right."""


def _drawn(table: _Table, heading: Sequence[str], foot: str) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    _have_fonts()
    size, columns = _fitted(table)
    line = size * _LEADING
    first_top = _HEIGHT - _MARGIN - 24 - 13 * len(heading)
    pages = list(_paged([*table.rows, *table.totals], first_top, line))
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=(_WIDTH, _HEIGHT), pageCompression=1)
    canvas.setTitle("Statement")
    done = 0
    for number, rows in enumerate(pages, 1):
        top = _HEIGHT - _MARGIN
        if number == 1:
            canvas.setFont(_BOLD, 14)
            canvas.drawString(_MARGIN, top - 12, "Statement")
            canvas.setFont(_REGULAR, 9)
            for at, text in enumerate(heading):
                canvas.drawString(_MARGIN, top - 30 - 13 * at, text)
            top = first_top
        _draw_row(canvas, table.heads, table.left, columns, _BOLD, size, top - line)
        canvas.line(_MARGIN, top - line - 3, _WIDTH - _MARGIN, top - line - 3)
        for at, row in enumerate(rows, 2):
            font = _BOLD if done >= len(table.rows) else _REGULAR
            if done == len(table.rows):
                canvas.line(_MARGIN, top - at * line - 3 + size, _WIDTH - _MARGIN, top - at * line - 3 + size)
            _draw_row(canvas, row, table.left, columns, font, size, top - at * line - 3)
            done += 1
        canvas.setFont(_REGULAR, 7)
        canvas.drawString(_MARGIN, _MARGIN - 18, foot)
        canvas.drawRightString(_WIDTH - _MARGIN, _MARGIN - 18, f"page {number} of {len(pages)}")
        canvas.showPage()
    canvas.save()
    return written.getvalue()


def _paged(rows: Sequence[Sequence[str]], first_top: float, line: float) -> Any:
    """Yield the rows of each page, the first of which begins further down."""
    held = int((first_top - _MARGIN - 3) / line) - 1
    yield rows[:held]
    at = held
    held = int((_HEIGHT - 2 * _MARGIN - 3) / line) - 1
    while at < len(rows):
        yield rows[at : at + held]
        at += held


def _fitted(table: _Table) -> tuple[float, list[float]]:
    """Return a size of letters at which all columns fit beside one another, and how wide each is."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    every = [table.heads, *table.rows, *table.totals]
    widths = [max(stringWidth(row[at], _BOLD, 1.0) for row in every) for at in range(len(table.heads))]
    room = _WIDTH - 2 * _MARGIN - _GAP * (len(widths) - 1)
    size = max(_SIZE_MIN, min(_SIZE, room / sum(widths)))
    columns = [size * each for each in widths]
    words, numbers = columns[: table.left], columns[table.left :]
    spare = room - sum(columns)
    if spare >= 0:
        return size, [*words, *(width + spare / len(numbers) for width in numbers)]
    return size, [*_cut(words, room - sum(numbers)), *numbers]


def _cut(widths: Sequence[float], room: float) -> list[float]:
    """Return widths that fit into a room, of which only the widest are less than they were: numbers stay whole."""
    rising, left = sorted(widths), room
    for at, width in enumerate(rising):
        most = left / (len(rising) - at)
        if width > most:
            return [min(each, most) for each in widths]
        left -= width
    return list(widths)


def _draw_row(
    canvas: Any, row: Sequence[str], left: int, columns: Sequence[float], font: str, size: float, y: float
) -> None:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    canvas.setFont(font, size)
    x = _MARGIN
    for at, (text, width) in enumerate(zip(row, columns, strict=True)):
        if at < left:
            shown = text
            while len(shown) > 1 and stringWidth(shown, font, size) > width + 0.01:
                shown = shown.removesuffix("…")[:-1] + "…"
            canvas.drawString(x, y, shown)
        else:
            canvas.drawRightString(x + width, y, text)
        x += width + _GAP


def _have_fonts() -> None:
    """Let the fonts be known that matplotlib brings: they have the letters of most names."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    found = find_spec("matplotlib")
    assert found is not None
    assert found.origin is not None
    for name in {_REGULAR, _BOLD} - set(pdfmetrics.getRegisteredFontNames()):
        path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf"
        pdfmetrics.registerFont(TTFont(name, path))
