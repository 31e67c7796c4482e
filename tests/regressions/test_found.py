"""What `manage.py extract fixture` has frozen: decided again, each gives what its leader gave."""

from pathlib import Path

import pytest

from extract.fixtures import read, replay
from settings.roles import HOSTED_CONTEXTS

FOUND = sorted((Path(__file__).parent / "found").glob("*.json"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_a_mismatch_that_was_found_once_is_decided_as_its_leader_did(path):
    fixture = read(path)
    assert replay(fixture, HOSTED_CONTEXTS).differences == [], f"{fixture.found}, when the code was {fixture.code}"
