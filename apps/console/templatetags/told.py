"""How numbers and times are written."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from django import template
from django.template.defaultfilters import stringfilter
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from apps.console.doing import kind_of
from apps.console.levels import title
from apps.console.limits import limit_title
from apps.console.numbers import said, written
from apps.reporting.interface import OrderRow

register = template.Library()
_NOTHING = "–"
_MINUS = "\u2212"
_CODE = re.compile(r"`([^`]+)`")


@register.filter
def money(value: float | None) -> str:
    """Return an amount with two decimals."""
    return _NOTHING if value is None else written(_signed(f"{value:,.2f}"))


@register.filter
def whole(value: float | None) -> str:
    """Return a number without decimals."""
    return _NOTHING if value is None else written(_signed(f"{value:,.0f}"))


def _signed(text: str, of_nothing: str = "") -> str:
    """Return a number with a minus as it is printed, and none where all its digits are 0."""
    return text.replace("-", _MINUS if text.strip("-0.,") else of_nothing)


@register.filter
def figure(value: object) -> str:
    """Return whatever a run has come to: numbers with as many digits as tell something."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _NOTHING if value in (None, "") else str(value)
    shown = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}" if abs(value) >= 0.1 else f"{value:.4g}"
    return written(shown.replace("-", _MINUS))


@register.filter
def bound(value: float) -> str:
    """Return a number with two decimals at the most, and none where it has none."""
    return written(f"{value:,.2f}".rstrip("0").rstrip(".").replace("-", _MINUS))


@register.filter
def exact(value: float) -> str:
    """Return a number with all its decimals, and never in powers of ten."""
    return written(f"{Decimal(repr(value)).normalize():,f}".replace("-", _MINUS))


@register.filter
def change(value: float | None) -> str:
    """Return an amount with its sign."""
    return _NOTHING if value is None else written(_signed(f"{value:+,.2f}", "+"))


@register.filter
def tone(value: float | None) -> str:
    """Return the class of a gain or a loss."""
    return "" if not value else "gain" if value > 0 else "loss"


@register.filter
def ms(value: float | None) -> str:
    """Return milliseconds."""
    return _NOTHING if value is None else written(f"{value:,.1f}" if value < 10 else f"{value:,.0f}")


@register.filter
def when(value: int | datetime | None, style: str = "clock") -> SafeString | str:
    """Return a time (a datetime, or ns since 1970) that the page turns into the reader's own zone.

    `style` is clock, full, or ago.
    """
    if not value:
        return _NOTHING
    at = value if isinstance(value, datetime) else datetime.fromtimestamp(value / 1e9, UTC)
    iso = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    text = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" data-style="{}" title="{}">{}</time>', iso, style, text, text)


@register.filter
def coded(value: str) -> SafeString:
    """Return a sentence with its numbers as the reader writes them; what is between backticks is shown as code."""
    parts = _CODE.split(conditional_escape(value))
    shown = [f"<code>{part}</code>" if at % 2 else said(part) for at, part in enumerate(parts)]
    return mark_safe("".join(shown))  # noqa: S308  # nosec B308, B703 # escaped before


register.filter("said", stringfilter(said), is_safe=True)
register.filter("setting_title", title)
register.filter("limit_title", limit_title)


@register.filter
def act_title(name: str) -> str:
    """Return what an act is called in words, where it is one of the console's; "" for others, such as the API's."""
    kind = kind_of(name)
    return kind.title if kind is not None else "Ask a second person" if name == "proposal.ask" else ""


@register.filter
def lines(value: object) -> str:
    """Return facts as lines of "name: value"."""
    if not isinstance(value, dict):
        return str(value)
    return "\n".join(f"{name}: {_plain(each)}" for name, each in value.items()) or "nothing"


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(_plain(each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items() if each != "") or "none"
    return str(value) or "no"


@register.filter
def lots(value: float | None) -> str:
    """Return lots with their sign."""
    return _NOTHING if value is None else "0" if not value else written(f"{value:+,.10g}".replace("-", _MINUS))


@register.filter
def price(value: float | None) -> str:
    """Return a price with six digits, so that those of an instrument stand under one another."""
    return _NOTHING if value is None else written(f"{value:#,.6g}" if value < 1000 else f"{value:,.2f}")


def digits_of(tick_size: float) -> int:
    """Return how many decimals a price has that is a whole number of ticks."""
    exponent = Decimal(repr(tick_size)).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


@register.filter
def at_tick(value: float | None, tick_size: float) -> str:
    """Return a price with all the decimals of its instrument's tick."""
    if value is None or tick_size <= 0:
        return price(value)
    return written(f"{value:,.{digits_of(tick_size)}f}")


_STATES = {
    "Filled": ("filled", "good"), "PartiallyFilled": ("partly filled", "warn"), "New": ("working", "warn"),
    "PendingNew": ("on its way", "warn"), "Requested": ("asked of risk", "warn"), "Denied": ("refused", "bad"),
    "Rejected": ("rejected by the venue", "bad"), "Canceled": ("cancelled", ""), "Expired": ("expired", ""),
    "Unknown": ("UNKNOWN", "bad"),
}  # fmt: skip


@register.filter
def state_words(state: str) -> str:
    """Return an order's state in words."""
    return _STATES.get(state, (state, ""))[0]


@register.filter
def state_tone(state: str) -> str:
    """Return the class of a badge for an order's state."""
    return _STATES.get(state, (state, ""))[1]


@register.filter
def sent_after(row: OrderRow) -> str:
    """Return how long after it was requested an order was sent."""
    if row.sent_at_ns is None or row.requested_at_ns is None:
        return _NOTHING
    return f"{ms((row.sent_at_ns - row.requested_at_ns) / 1e6)} ms"
