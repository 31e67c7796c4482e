"""HTML as values that cannot be confused with text: whatever is not `Markup` is escaped."""

from html import escape
from typing import Final

Content = str | int | None

_VOID: Final = frozenset({"input", "br", "col"})


class Markup(str):
    """Text that is HTML already. Only this module and constants of the program make it."""

    __slots__ = ()


def element(name: str, *children: Content, **attributes: str | float | bool | None) -> Markup:
    """Build one element, escaping every child that is not `Markup` and every attribute.

    An attribute's underscores become dashes and a trailing one is dropped (`class_`, `aria_label`). True writes the
    bare attribute; False and None leave it out. A child that is None or "" is left out.
    """
    opening = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{join(*children)}</{name}>")


def join(*children: Content) -> Markup:
    """Put children after one another, escaping those that are not `Markup`."""
    return Markup("".join(_text(child) for child in children))


def _text(child: Content) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Markup) else escape(str(child))


def _attribute(key: str, value: str | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
