"""Whatever is typed into an address or a form of the console, it is answered: never by an error of ours."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import get_resolver, reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.console.acts import KINDS
from apps.console.models import SignInTry
from tests.integration.console.conftest import ALL, PASSWORD
from tests.integration.console.test_access import ABOUT
from tests.profiles import examples

pytestmark = [
    pytest.mark.soak, pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("commands_of_this_test"),
]  # fmt: skip
SOURCES = [*Path("apps/console").glob("*.py"), *Path("apps/api").glob("key_*.py"), *Path("extract/board").glob("*.py")]
LOOKED_FOR = r'(?:request|query|given|GET|POST)\.get(?:list)?\("([a-z_]+)"|\["([a-z_]+)"\]'
FOUND = [name for path in SOURCES for pair in re.findall(LOOKED_FOR, path.read_text()) for name in pair if name]
NAMES = sorted({*FOUND, *ABOUT})
"""Whatever a page looks for in an address or in a form."""
NASTY = st.sampled_from(
    [
        "\0", "a\0b", "-1", "0", "1e999", "nan", "inf", "-inf", "9" * 30, "9" * 5_000, "١٢", "1.5", "0x10", "true", "",
        "9999-12-31", "0001-01-01", "2026-02-30", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999Z",
        "'", '"', "' OR 1=1 --", "%", "_", "\\", "%s", "{0}", "{{ 7 }}", "<script>alert(1)</script>",
        "../../etc/passwd",
        "=cmd|' /C calc'!A0", "\r\nSet-Cookie: a=b", "\u202e", "\ufeff", "😀" * 70, "Ａ", "ß" * 300, "x" * 20_000,
        "[]",
        "{}", "null", "WyJhIiwxXQ", "W10", ":", "@", "a@b", ";", " ; ", "//evil.example", "javascript:alert(1)",
        "=" * 99,
        "ema_cross OANDA:EURUSD@1h 1e308 fast=9999999999999999999", "sma_cross X@1h nan fast=-1", "X@99999999999y",
    ]
)  # fmt: skip
TEXT = st.one_of(NASTY, st.text(max_size=40).filter(lambda text: not re.search("[\ud800-\udfff]", text)))
QUERIES = st.dictionaries(st.sampled_from(NAMES), TEXT, min_size=10, max_size=40)


def addresses():
    """Yield the name of each page and the kinds of its arguments."""
    found = {}
    for pattern in get_resolver().url_patterns:
        for each in getattr(pattern, "url_patterns", [pattern]):
            if getattr(pattern, "pattern", None) is None or str(pattern.pattern) not in ("", "/"):
                continue
            if (each.name and not each.name.startswith("api-")) or each.name in (
                "api-keys",
                "api-key-new",
                "api-key-rotate",
            ):
                found[each.name] = list(each.pattern.converters.items())
    return found


PAGES = {name: arguments for name, arguments in addresses().items() if name not in ("stream", "sign-out", "act")}


@pytest.fixture
def administrator(people, kill_switch):
    client = Client()
    client.force_login(people["administrator"])
    return client


def answered(response):
    assert response.status_code < 500, response.content[:2_000]
    assert "\n" not in response.headers.get("Location", "")


def test_all_of_the_console_is_tried():
    assert len(PAGES) > 50
    assert {"find", "before", "q", "members", "networks", "overlap", "channels"} <= set(NAMES)


@pytest.mark.parametrize("name", sorted(PAGES))
@settings(examples(0.08), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_pages_answer_whatever_they_are_asked(administrator, name, data):
    arguments = {}
    for argument, converter in PAGES[name]:
        if type(converter).__name__ == "IntConverter":
            arguments[argument] = data.draw(st.sampled_from([0, 1, 2**31, 2**63, 10**30]))
        else:
            text = data.draw(TEXT).replace("/", "") or "x"
            arguments[argument] = text if text not in (".", "..") else "x"
    path = quote(reverse(name, kwargs=arguments).encode(), safe="/%+")
    method = data.draw(st.sampled_from(["get", "get", "post"]))
    headers = data.draw(st.sampled_from([{}, {"HX-Request": "true"}]))
    asked = data.draw(QUERIES)
    if name == "you-password":
        asked.pop("new", None)
    SignInTry.objects.all().delete()
    answered(
        getattr(administrator, method)(
            path, {"password": PASSWORD, **asked} if method == "post" else asked, headers=headers
        )
    )


@pytest.mark.parametrize("name", sorted(KINDS))
@settings(examples(0.08), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_acts_are_refused_in_words_whatever_they_are_about(administrator, name, data):
    kind = KINDS[name]
    about = {each: data.draw(st.one_of(st.just(ABOUT[each]), TEXT), label=each) for each in kind.about}
    more = {"why": data.draw(TEXT), "word": kind.word, "password": PASSWORD, "next": data.draw(TEXT)}
    method = data.draw(st.sampled_from(["get", "post"]))
    answered(getattr(administrator, method)(reverse("act", args=[name]), about | more))
