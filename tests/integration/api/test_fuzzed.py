"""Whatever is sent, each address answers as the contract says it does, and never with a 5xx."""

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.api.keys import SCOPES, Wanted, make
from tests.integration.api.conftest import ALL
from tests.profiles import SOAK, examples

pytestmark = [
    pytest.mark.django_db(databases=ALL),
    pytest.mark.usefixtures("traded", "commands_of_this_test"),
]
SCHEMA = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application()).exclude(
    path_regex="/streams/"  # which do not end
)
SCHEMA.config.phases.coverage.enabled = settings.get_current_profile_name() == SOAK
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(autouse=True)
def connections_stay():
    """Leave the connections of the test open, as Django's own client does, between one call and the next."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def key(db, settings, tmp_path) -> str:
    """A key that may do everything, as often as it likes."""
    settings.KILL_SWITCH = tmp_path / "kill_switch"
    return make(Wanted("all", SCOPES, calls_per_minute=1_000_000))[1]


@SCHEMA.parametrize()
@settings(examples(0.05), suppress_health_check=list(HealthCheck))
def test_answers_keep_to_the_contract(case, key):
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
    case.call_and_validate(headers=headers, checks=CHECKS)
