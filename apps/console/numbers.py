"""How the reader of a page writes numbers: by the language and country that their browser asks for."""

import re
from contextvars import ContextVar
from functools import lru_cache
from typing import NamedTuple

from django.conf.locale import LANG_INFO
from django.utils.formats import get_format
from django.utils.translation.trans_real import parse_accept_lang_header

_INDIA = "IN"
_APOSTROPHE = ("CH", "LI")
_SEPARATORS = ("DECIMAL_SEPARATOR", "THOUSAND_SEPARATOR")
_IN_A_SENTENCE = re.compile(r"(?<![\w.,:/@=+-])([+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+))(?![\w:/@-]|[.,]\d)")
"""A number with separators, and not a part of a name, a time, an address or a setting."""


class Manner(NamedTuple):
    """What stands before decimals and between groups of digits, and whether groups beyond the first are of two."""

    point: str = "."
    group: str = ","
    is_in_twos: bool = False


ENGLISH = Manner()
_MANNER: ContextVar[Manner] = ContextVar("manner", default=ENGLISH)


@lru_cache(maxsize=256)
def manner_of(accept_language: str) -> Manner:
    """Return how numbers are written for who sends this Accept-Language header; as in English where nobody knows."""
    for tag, _ in parse_accept_lang_header(accept_language.lower()[:200]):
        language, _, region = tag.partition("-")
        country = region.rpartition("-")[2].upper()
        if country == _INDIA or language == "hi":
            return Manner(is_in_twos=True)
        if country in _APOSTROPHE and language in ("de", "fr", "it", "en", "rm"):
            return Manner(group="’")
        if language == "en":
            return ENGLISH
        known = next((each for each in (tag, language) if each in LANG_INFO), None)
        if known is not None:
            point, group = (str(get_format(name, known, use_l10n=True)) for name in _SEPARATORS)
            return Manner(point, group)
    return ENGLISH


def use(accept_language: str) -> None:
    """Write numbers so from now on, in this thread or task."""
    _MANNER.set(manner_of(accept_language))


def written(english: str) -> str:
    """Return numbers that are written as in English, such as "1,234.5", in the manner of the reader."""
    manner = _MANNER.get()
    if manner == ENGLISH:
        return english
    if manner.is_in_twos:
        return _in_twos(english)
    return english.translate({ord(","): manner.group, ord("."): manner.point})


def said(english: str) -> str:
    """Return a sentence in which numbers are written as in English with those of the reader."""
    if _MANNER.get() == ENGLISH:
        return english
    return _IN_A_SENTENCE.sub(lambda found: written(found[1]), english)


def _in_twos(english: str) -> str:
    whole, point, rest = english.partition(".")
    digits = [each for each in whole if each.isdigit()]
    if len(digits) < 6:
        return english
    sign = whole[: next(at for at, each in enumerate(whole) if each.isdigit())]
    text = "".join(digits)
    head, tail = text[:-3], text[-3:]
    groups = [head[max(0, at - 2) : at] for at in range(len(head), 0, -2)][::-1]
    return f"{sign}{','.join([*groups, tail])}{point}{rest}"
