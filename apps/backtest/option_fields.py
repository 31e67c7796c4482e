"""The options of a run as a form shows them."""

from dataclasses import fields
from typing import NamedTuple, get_args

from apps.backtest.cli_arguments import OPTION_HELP, default_of
from apps.backtest.options import Options


class OptionField(NamedTuple):
    """An option: what it means, its default ("": it has none, or the strategy's), and what it may be, if only some."""

    name: str
    doc: str
    default: str
    choices: tuple[str, ...]


def option_fields() -> list[OptionField]:
    """Return all options, in the order in which they are explained."""
    return [OptionField(of.name, OPTION_HELP[of.name], default_of(of), get_args(of.type)) for of in fields(Options)]


def options_typed(texts: dict[str, str]) -> dict[str, float | str]:
    """Return options from what was typed: numbers where they are numbers, else the text, which `Options` refuses."""
    numbers = {each.name for each in fields(Options) if isinstance(each.default, float)}
    return {name: _number(text) if name in numbers else text for name, text in texts.items()}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
