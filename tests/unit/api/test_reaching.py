"""Where webhooks may lead, and what is sent there."""

import hashlib
import hmac
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from apps.api.webhooks import reaching
from apps.api.webhooks.reaching import AddressError, ReachError, post, target_of
from apps.api.webhooks.signing import secret_of, signature
from tests.patience import wait_for_thread


def stands_for(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name stand for addresses; return the names that are asked for."""
    asked: list[str] = []

    def found(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(None, None, 0, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
        "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_nothing_is_sent_to_what_is_not_public_whatever_its_name(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    stands_for(monkeypatch, "93.184.215.14", address)
    with pytest.raises(AddressError, match="no public address"):
        target_of("https://innocent.example/hook")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook", "ftp://example.com/", "file:///etc/passwd", "https://", "example.com", "https://u:p@example.com/",
        "https://example.com:x/", "https://example.com/#part", "https://example.com/a b", "https://exämple.com/",
        "https://example.com/\r\nHost: other", "https://example.com/" + "x" * 500,
    ],
)  # fmt: skip
def test_what_is_no_address_for_a_webhook_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    stands_for(monkeypatch, "93.184.215.14")
    with pytest.raises(AddressError):
        target_of(url)


def test_a_public_name_is_taken_and_a_network_of_the_firm_where_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    stands_for(monkeypatch, "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    target = target_of("https://example.com:8443/hook?x=1")
    assert (target.host, target.port, target.addresses[0]) == ("example.com", 8443, ip_address("93.184.215.14"))
    stands_for(monkeypatch, "::ffff:93.184.215.14")
    assert target_of("https://example.com/").port == 443
    stands_for(monkeypatch, "10.1.2.3")
    assert target_of("http://inside.example/", ["10.1.2.0/24"]).port == 80
    with pytest.raises(AddressError):
        target_of("http://inside.example/", ["10.1.3.0/24"])


class Receiver(HTTPServer):
    """A receiver that answers with a status and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 204
        self.heard: list[tuple[str, dict[str, str], bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://169.254.169.254/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_what_is_sent_goes_to_the_address_that_was_looked_at(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    asked = stands_for(monkeypatch, "127.0.0.1")
    target = target_of(f"http://receiver.example:{receiver.server_port}/hook?x=1", ["127.0.0.0/8"])
    monkeypatch.undo()  # from now on the name is not known: it must not be asked for again
    assert post(target, b"{}", {"Content-Type": "application/json", "X-Own": "1"}) == 204
    ((path, headers, body),) = receiver.heard
    assert (path, body, headers["Host"]) == ("/hook?x=1", b"{}", f"receiver.example:{receiver.server_port}")
    assert asked == ["receiver.example"]


def test_a_redirection_is_not_followed(receiver: Receiver) -> None:
    receiver.status = 307
    assert post(target_of(f"http://127.0.0.1:{receiver.server_port}/", ["127.0.0.0/8"]), b"", {}) == 307
    assert len(receiver.heard) == 1


def test_who_never_answers_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = target_of(f"http://127.0.0.1:{silent.getsockname()[1]}/", ["127.0.0.0/8"])
        with pytest.raises(ReachError, match="could not be reached"):
            post(target, b"", {})
    with pytest.raises(ReachError, match="could not be reached"):
        post(target, b"", {})


def test_a_receiver_whose_certificate_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    own = tmp_path / "own.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    own.write_bytes(pem + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    heard: list[bytes] = []

    def answer() -> None:
        with suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            heard.append(connection.recv(1_000))
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ReachError, match="certificate is not good"):
            post(target_of(f"https://127.0.0.1:{listener.getsockname()[1]}/", ["127.0.0.0/8"]), b"", {})
        wait_for_thread(thread)
    assert heard == []


def test_a_receiver_can_check_what_it_was_sent() -> None:
    secret = secret_of("abcdefghijkl", b"salt")
    assert secret != secret_of("abcdefghijkl", b"other") != secret_of("zzzzzzzzzzzz", b"other")
    body, at = b'{"delivery": 1}', 1_772_000_000
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    assert signature([secret], body, at) == f"t={at},v1={digest}"
    assert signature([secret, "other"], body, at).startswith(f"t={at},v1={digest},v1=")
