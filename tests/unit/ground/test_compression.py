"""What is stored is what comes back, and long bodies are stored short."""

import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from banyan.compression import LONG_BYTES, compress, expand

FRAME = zstandard.compress(b"{}")


@given(st.one_of(st.binary(max_size=3 * LONG_BYTES), st.binary(max_size=40).map(FRAME.__add__)))
def test_a_body_comes_back_as_it_was(body):
    assert expand(compress(body)) == body


def test_a_short_body_can_be_read_as_it_is_stored():
    body = json.dumps({"account": 1}).encode()
    assert compress(body) == body


def test_a_column_of_many_accounts_is_stored_in_a_fraction_of_its_length():
    body = json.dumps([1000 + account % 7 for account in range(800)]).encode()
    assert len(compress(body)) * 4 < len(body)


def test_a_damaged_body_is_no_other_body():
    stored = compress(bytes(range(256)) * 8)
    with pytest.raises(zstandard.ZstdError):
        expand(stored[:-4])
