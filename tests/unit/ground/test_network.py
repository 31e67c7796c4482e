"""The network that tests have in their hand."""

import socket

from tests.network import Network


def nowhere() -> socket.socket:
    raise ConnectionRefusedError


def test_where_a_network_was_left_another_can_be():
    with Network(("127.0.0.1", 0), nowhere) as network:
        here = network.host, network.port
        with socket.create_connection(here) as client:
            assert client.recv(1) == b""  # so that it accepts again
    with Network(here, nowhere) as network:
        assert (network.host, network.port) == here
