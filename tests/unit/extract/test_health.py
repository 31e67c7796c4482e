"""What a service says of itself by HTTP before it has made anything."""

import json

from extract.health import HealthServer


def test_a_service_that_starts_lives_says_who_it_is_and_is_not_ready():
    server = HealthServer(("127.0.0.1", 0), "execution")
    with server:
        assert server.answer("/live")[0] == 200
        assert server.answer("/ready") == (503, "text/plain", b"it is starting\n")
        assert json.loads(server.answer("/lag")[2]) == {"context": "execution", "lag": 0, "keys": {}}
