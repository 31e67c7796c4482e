"""Whatever a listener asks of a stream, it is answered as the contract says, and nothing of ours fails on it."""

from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st

from apps.api import streams
from apps.api.families import FAMILIES
from apps.api.keys import SCOPES, Wanted, make
from apps.api.pieces import Reader
from apps.api.sealing import sealed
from apps.api.tenancy import scope_of
from tests.integration.api.conftest import ALL
from tests.profiles import examples

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("traded")]
LOGS = st.sampled_from(["0", "1", "canary", "SIM", "trend", "jobs", "kill-switch"]) | st.text(max_size=5)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.integers(-2, 40)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CONTRACT = orjson.loads(Path("apps/api/openapi.json").read_bytes())
PLACES = st.dictionaries(LOGS, st.lists(NUMBERS | st.text(max_size=5), min_size=1, max_size=4), max_size=3)
MOMENTS = st.datetimes().map(lambda at: at.isoformat()) | st.sampled_from(
    ["1970-01-01", "2262-04-11T23:47:16.854775807Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "²"]
)
HEADERS = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=30)


def ids(family):
    """Ids of events: texts, places as they were once written, and whatever somebody could have sealed."""
    purpose = st.sampled_from([f"events of {family}", "cursor"])
    written = (PLACES | JSON).map(lambda value: orjson.dumps(value).decode())
    return HEADERS | written | st.builds(sealed, PLACES | JSON, purpose) | st.just("")


def queries(family):
    names = [each.name for each in FAMILIES[family].parameters]
    values = {name: MOMENTS if name == "since" else st.text(max_size=8) for name in names}
    known = st.fixed_dictionaries({}, optional=values)
    return known | st.dictionaries(st.text(max_size=8), st.text(max_size=8) | MOMENTS, max_size=2)


@pytest.fixture
def key(db):
    return make(Wanted("all", SCOPES, calls_per_minute=1_000_000))[1]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_stream_answers_as_its_contract_says_from_wherever_somebody_says_to_begin(family, key, settings, tmp_path):
    settings.KILL_SWITCH = tmp_path / "kill_switch"
    of, reader = FAMILIES[family], Reader(FAMILIES[family])
    documented = CONTRACT["paths"][f"/api/v1/streams/{family}"]["get"]["responses"]
    marks = of.marks()
    begun = []

    @examples(0.6)
    @given(query=queries(family), last=ids(family))
    @example(query={}, last=orjson.dumps({"\0": [1]}).decode())
    @example(query={}, last=orjson.dumps({"0": [2**63 - 1]}).decode())
    def ask(query, last):
        headers = {"Authorization": f"Bearer {key}", "Last-Event-ID": last}
        request = RequestFactory().get(f"/api/v1/streams/{family}?{urlencode(query)}", headers=headers)
        answer = streams.stream(request, family)
        assert str(answer.status_code) in documented, answer.content
        if answer.status_code != 200:
            assert orjson.loads(answer.content)["code"] != "internal"
            return
        begun.append(1)
        asked = streams.asking.read(request.GET, of.parameters)
        places = streams.read(last, family) if last else marks
        scope = scope_of(streams.caller_of(request), {**asked, "since": None})
        piece = reader.piece(scope, places, reader.ahead(places, marks), [""], 10)
        for each in piece.within(scope):
            assert orjson.loads(each.data)
            assert streams.read(streams.written({each.log: each.place}, family), family) == {each.log: each.place}

    ask()
    assert len(begun) > 3
