"""The contract that is kept is what the API is, and no change of it breaks who relies on it."""

from copy import deepcopy
from pathlib import Path

import orjson
import pytest

from apps.api.docs import KEPT
from apps.api.problems import KINDS
from apps.api.schema import contract, incompatibilities

KEPT_NOW = orjson.loads(KEPT.read_bytes())


def test_the_kept_contract_is_what_the_api_is():
    now = orjson.loads(orjson.dumps(contract()))
    assert incompatibilities(KEPT_NOW, now) == []
    assert now == KEPT_NOW, "manage.py api_schema write"


def drop_path(new):
    del new["paths"]["/api/v1/fills"]


def drop_parameter(new):
    orders = new["paths"]["/api/v1/orders"]["get"]
    orders["parameters"] = [each for each in orders["parameters"] if each["name"] != "set"]


def narrow_parameter(new):
    (state,) = [each for each in new["paths"]["/api/v1/orders"]["get"]["parameters"] if each["name"] == "state"]
    state["schema"]["enum"].remove("filled")


def need_parameter(new):
    new["paths"]["/api/v1/orders"]["get"]["parameters"].append(
        {"name": "desk", "in": "query", "required": True, "schema": {"type": "string"}}
    )


def drop_field(new):
    del new["components"]["schemas"]["Order"]["properties"]["lots"]


def retype_field(new):
    new["components"]["schemas"]["Order"]["properties"]["decision"]["type"] = "string"


def maybe_null(new):
    new["components"]["schemas"]["Account"]["properties"]["client"]["type"] = ["string", "null"]


def drop_format(new):
    del new["paths"]["/api/v1/orders"]["get"]["responses"]["200"]["content"]["text/csv"]


def drop_answer(new):
    del new["paths"]["/api/v1/orders"]["get"]["responses"]["200"]


@pytest.mark.parametrize(
    "change",
    [drop_path, drop_parameter, narrow_parameter, need_parameter, drop_field, retype_field, maybe_null, drop_format,
     drop_answer],
)  # fmt: skip
def test_a_change_that_breaks_callers_is_found(change):
    new = deepcopy(KEPT_NOW)
    change(new)
    assert len(incompatibilities(KEPT_NOW, new)) == 1


def test_what_is_only_added_breaks_nobody():
    new = deepcopy(KEPT_NOW)
    new["paths"]["/api/v1/news"] = {"get": {"responses": {}}}
    new["components"]["schemas"]["Order"]["properties"]["desk"] = {"type": "string"}
    new["paths"]["/api/v1/orders"]["get"]["parameters"].append({"name": "desk", "schema": {"type": "string"}})
    assert incompatibilities(KEPT_NOW, new) == []


def test_every_code_is_documented_with_what_to_do():
    lines = (Path(__file__).parents[3] / "docs" / "api.md").read_text().splitlines()
    for code, kind in KINDS.items():
        assert f"| `{code}` | {kind.status} | {kind.title} | {kind.remedy} |" in lines
