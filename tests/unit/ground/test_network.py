"""The network that tests have in their hand."""

import socket

from tests.integration.kafka.proxy import Proxy
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


def test_several_proxies_to_one_broker_have_addresses_of_their_own_as_long_as_its():
    with socket.create_server(("127.0.0.1", 0)) as broker:
        address = f"127.0.0.1:{broker.getsockname()[1]}"
        with Proxy(address) as one, Proxy(address) as other:
            assert len({address, one.address, other.address}) == 3
            assert len(one.address) == len(other.address) == len(address)
