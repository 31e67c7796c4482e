"""What can be said in a query, read and checked in one place."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from django.http import QueryDict

from apps.api.problems import Problem

PAGE_MAX = 500
_PAGE = 50
_TEXT_MAX = 200
_NS_MAX = 2**63 - 1


class Parameter(NamedTuple):
    """A parameter: how its text is read (raising ValueError, which says what is wrong), and how a contract tells it.

    One that is a list can be given several times too: some generated clients do so, whatever a contract says.
    """

    name: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    told: str
    default: Any = None
    is_required: bool = False
    is_list: bool = False


def _text(value: str) -> str:
    if not value.isprintable() or len(value) > _TEXT_MAX * 2:
        raise ValueError(f"text of at most {_TEXT_MAX} printable characters")
    return value


def _moment(value: str) -> int:
    """Return ns since 1970 UTC of an ISO time with up to nine digits of a second; one without a zone is UTC."""
    head, dot, rest = value.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if dot else ""
    try:
        found = datetime.fromisoformat(f"{head}{rest[len(digits) :]}")
    except ValueError:
        found = None
    if found is None or len(digits) > 9 or (dot and not digits) or not value.isascii():
        raise ValueError("a time such as 2026-03-31T12:00:00.5Z")
    at = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    seconds = (at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    ns = int(seconds) * 10**9 + int(digits.ljust(9, "0") or 0)
    if not 0 <= ns <= _NS_MAX:
        raise ValueError("a time from 1970 to 2262")
    return ns


def text(name: str, told: str, **more: Any) -> Parameter:
    """Return a parameter that is a text."""
    return Parameter(name, _text, {"type": "string", "maxLength": _TEXT_MAX}, told, default="", **more)


def choice(name: str, choices: Sequence[str], told: str, *, default: str = "") -> Parameter:
    """Return a parameter that is one of a few words."""

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value

    schema: dict[str, Any] = {"type": "string", "enum": list(choices)} | ({"default": default} if default else {})
    if any(each.startswith("-") for each in choices):
        schema["x-enum-varnames"] = [_name_of(each) for each in choices]
    return Parameter(name, read, schema, told, default)


def _name_of(choice: str) -> str:
    """Return what generated code calls a choice: - alone would make no name."""
    return choice.removeprefix("-").upper() + ("_FALLING" if choice.startswith("-") else "_RISING")


def several(name: str, choices: Sequence[str], told: str, *, default: tuple[str, ...]) -> Parameter:
    """Return a parameter that is some of a few words, with commas between them."""

    def read(value: str) -> tuple[str, ...]:
        words = tuple(value.split(","))
        if len(set(words)) < len(words) or any(word not in choices for word in words):
            raise ValueError(f"some of {', '.join(choices)}, each at most once, with commas between them")
        return words

    schema = {"type": "array", "items": {"type": "string", "enum": list(choices)}}
    return Parameter(name, read, schema, told, default, is_list=True)


def whole(name: str, low: int, high: int, told: str, *, default: int) -> Parameter:
    """Return a parameter that is a whole number."""

    def read(value: str) -> int:
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 19 else low - 1
        if not low <= number <= high:
            raise ValueError(f"a whole number from {low:,} to {high:,}")
        return number

    return Parameter(
        name, read, {"type": "integer", "minimum": low, "maximum": high, "default": default}, told, default
    )


def yes(name: str, told: str) -> Parameter:
    """Return a parameter that is true or false."""

    def read(value: str) -> bool:
        if value not in ("true", "false"):
            raise ValueError("true or false")
        return value == "true"

    return Parameter(name, read, {"type": "boolean", "default": False}, told, default=False)


def moment(name: str, told: str) -> Parameter:
    """Return a parameter that is a time; ns UTC."""
    return Parameter(name, _moment, {"type": "string", "format": "date-time"}, told)


def day(name: str, told: str) -> Parameter:
    """Return a parameter that is a day."""

    def read(value: str) -> date:
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("a day such as 2026-03-31") from None

    return Parameter(name, read, {"type": "string", "format": "date"}, told)


LIMIT = whole("limit", 1, PAGE_MAX, "How many rows a page has.", default=_PAGE)
CURSOR = Parameter("cursor", _text, {"type": "string", "maxLength": _TEXT_MAX * 2}, "`next` of the page before.")
SINCE = moment("since", "Only what was at this time or later.")
UNTIL = moment("until", "Only what was before this time.")


def read(query: QueryDict, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Return the values of parameters by their names. Raises Problem, which names all that is wrong."""
    known = {each.name: each for each in parameters}
    values = {each.name: each.default for each in parameters}
    errors = []
    for name in query:
        given = query.getlist(name)
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there are none here"
            errors.append({"parameter": name[:_TEXT_MAX], "detail": f"There is no such parameter; {there}."})
        elif len(given) > 1 and not known[name].is_list:
            errors.append({"parameter": name, "detail": "It is given twice."})
        else:
            try:
                values[name] = known[name].read(",".join(given))
            except ValueError as error:
                errors.append({"parameter": name, "detail": f"Give {error}."})
    errors += [
        {"parameter": each.name, "detail": "It is needed."}
        for each in parameters
        if each.is_required and each.name not in query
    ]
    if errors:
        raise Problem("parameter-invalid", errors=errors)
    return values
