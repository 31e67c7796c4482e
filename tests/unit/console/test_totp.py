"""Codes of authenticators, against the vectors of RFC 6238."""

import pytest

from apps.console.totp import address, code_at, step_of, written

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(seconds, code):
    assert code_at(SECRET, seconds // 30) == code
    assert step_of(SECRET, code, seconds, after=0) == seconds // 30


def test_a_clock_may_be_off_by_a_step_and_no_more():
    now = 1_000_000_000
    codes = {off: code_at(SECRET, now // 30 + off) for off in (-2, -1, 0, 1, 2)}
    assert {off: step_of(SECRET, code, now, after=0) is not None for off, code in codes.items()} == {
        -2: False, -1: True, 0: True, 1: True, 2: False,
    }  # fmt: skip


def test_a_code_is_good_once():
    step = 1_000_000_000 // 30
    assert step_of(SECRET, code_at(SECRET, step), step * 30, after=step) is None
    assert step_of(SECRET, code_at(SECRET, step + 1), step * 30, after=step) == step + 1


@pytest.mark.parametrize("typed", ["", "28708", "2870822", "abcdef", "２８７０８２"])
def test_what_is_no_code_is_wrong(typed):
    assert step_of(SECRET, typed, 59, after=0) is None


def test_an_authenticator_reads_the_secret_from_the_address():
    assert written(SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    assert address(SECRET, "ann & co") == (
        "otpauth://totp/Banyan:ann%20%26%20co?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Banyan"
    )
