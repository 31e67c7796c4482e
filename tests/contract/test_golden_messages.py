"""Messages of every version that was ever kept must decode for ever, to the same content."""

import json
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from banyan.codec import CodecError, decode_message, encode_message
from banyan.columns import ints
from banyan.messages import Message, message, message_types
from banyan.schema import incompatibilities, schema_of

GOLDEN = Path(__file__).parent / "golden"
for _context in ("feeds", "signals", "execution", "risk"):
    import_module(f"apps.{_context}.contracts")
import_module("apps.execution.book_contracts")
OURS = {name: kind for name, kind in message_types().items() if not kind.__module__.startswith("tests.")}


def _as_far_as(written, again):
    """Return what was read again, without the fields that there were not when it was written."""
    if isinstance(written, dict):
        return {name: _as_far_as(value, again[name]) for name, value in written.items()}
    if isinstance(written, list) and len(written) == len(again):
        return [_as_far_as(one, other) for one, other in zip(written, again, strict=True)]
    return again


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_golden_message_decodes_to_what_it_was(path):
    written = path.read_bytes()
    again = json.loads(encode_message(decode_message(path.stem, written)))
    assert _as_far_as(json.loads(written), again) == json.loads(written)


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_message_has_a_golden_one(name):
    assert (GOLDEN / f"{name}.json").exists(), f"add {name}.json to {GOLDEN}: a message of this type as it is sent"


def test_the_kept_schemas_are_those_of_today():
    call_command("schemas", "check")


def kind_with(**fields: type) -> type[Message]:
    made = msgspec.defstruct("Changed", list(fields.items()), bases=(Message,), frozen=True, kw_only=True)
    made.wire_name = "test.changed.v1"
    return made


def test_a_field_may_be_added_with_a_default_and_not_without():
    before = schema_of(kind_with(a=int))
    with_default = msgspec.defstruct(
        "Changed", [("a", int), ("b", int, 0)], bases=(Message,), frozen=True, kw_only=True
    )
    with_default.wire_name = "test.changed.v1"
    assert incompatibilities(before, schema_of(with_default)) == []
    assert incompatibilities(before, schema_of(kind_with(a=int, b=int))) == ["b: a new field needs a default"]


def test_what_holds_for_fields_holds_inside_of_a_choice():
    before = {"anyOf": [schema_of(kind_with(a=int)), {"type": "null"}]}
    optional = msgspec.defstruct(
        "Changed", [("a", int), ("b", int, 0)], bases=(Message,), frozen=True, kw_only=True
    )  # fmt: skip
    optional.wire_name = "test.changed.v1"
    assert incompatibilities(before, {"anyOf": [schema_of(optional), {"type": "null"}]}) == []
    assert incompatibilities(before, {"anyOf": [schema_of(kind_with(a=str)), {"type": "null"}]}) != []
    assert incompatibilities(before, {"anyOf": [schema_of(kind_with(a=int))]}) != []


def test_a_field_may_not_go_or_change_its_type():
    before = schema_of(kind_with(a=int, b=str))
    assert incompatibilities(before, schema_of(kind_with(a=int))) == ["b: the field is gone"]
    assert incompatibilities(before, schema_of(kind_with(a=str, b=str))) != []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"reason":"x"}', b'{"reason":"x","rows":[1.5]}', b'{"reason":"x","rows":[99999999999999999999]}'],
)
def test_what_is_no_message_is_refused_with_its_name(body):
    with pytest.raises(CodecError, match="banyan.rows-parked.v1"):
        decode_message("banyan.rows-parked.v1", body)


def test_numbers_beyond_those_of_json_readers_travel_as_strings_and_come_back():
    large = message_types()["banyan.rows-parked.v1"](reason="x", rows=ints([2**53, -(2**62), 5]))
    assert json.loads(encode_message(large))["rows"] == [str(2**53), str(-(2**62)), 5]
    assert decode_message("banyan.rows-parked.v1", encode_message(large)).rows.tolist() == [2**53, -(2**62), 5]


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200), max_size=200)
    | st.lists(st.integers(2**53 - 2, 2**62), min_size=60, max_size=200)
)
def test_columns_of_any_length_are_written_number_by_number(numbers):
    sent = message_types()["banyan.rows-parked.v1"](reason="x", rows=ints(numbers))
    expected = [number if abs(number) < 2**53 else str(number) for number in numbers]
    assert json.loads(encode_message(sent))["rows"] == expected
    assert decode_message("banyan.rows-parked.v1", encode_message(sent)).rows.tolist() == numbers


def test_a_number_that_is_not_finite_cannot_travel():
    @message("test.float.v1")
    class Float(Message, frozen=True, kw_only=True):
        value: list[float]

    @message("test.floats.v1")
    class Floats(Message, frozen=True, kw_only=True):
        inner: Float | None = None
        rows: list[tuple[str, float | None]] = []
        named: dict[str, list[float]] = {}
        count: int = 0

    bad = float("nan")
    for made in (
        Float(value=[1.0, bad]), Floats(inner=Float(value=[bad])), Floats(rows=[("a", None), ("b", bad)]),
        Floats(named={"a": [bad]}),
    ):  # fmt: skip
        with pytest.raises(CodecError, match="nan"):
            encode_message(made)
    assert encode_message(Floats(inner=Float(value=[1.0]), rows=[("a", None)], named={"a": [2.0]}, count=1))
