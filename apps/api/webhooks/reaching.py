"""A POST to an address that somebody else has named: nowhere but to the world outside, and nowhere else from there."""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 10.0
_URL_MAX = 500
Address = IPv4Address | IPv6Address
_TUNNELS: Sequence[IPv4Network | IPv6Network] = tuple(
    map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
)
"""In which an address of IPv4 is hidden that nobody has looked at."""


class AddressError(ValueError):
    """Nothing of ours is sent to this address: the message says why."""


class ReachError(RuntimeError):
    """The receiver could not be reached, or did not answer in time."""


class Target(NamedTuple):
    """A URL, taken apart, and the addresses that its name stands for now."""

    url: SplitResult
    host: str
    port: int
    addresses: Sequence[Address]


def target_of(text: str, allowed: Sequence[str] = ()) -> Target:
    """Return where a URL leads now. Raises AddressError unless all that its name stands for is public.

    Networks that are `allowed` may be private, and need no TLS.
    """
    if len(text) > _URL_MAX or not text.isascii() or not text.isprintable() or " " in text:
        raise AddressError(f"the URL has more than {_URL_MAX} characters, or others than a URL can have")
    try:
        url = urlsplit(text)
        port = url.port or {"https": 443, "http": 80}.get(url.scheme, 0)
    except ValueError:
        raise AddressError("the URL cannot be read") from None
    host = url.hostname or ""
    if url.scheme not in ("http", "https") or not host or not port:
        raise AddressError("give a URL such as https://example.com/hook")
    if url.username or url.password or url.fragment:
        raise AddressError("the URL has a user, a password or a fragment in it: leave them out")
    addresses = _addresses(host, port)
    networks = [ip_network(each) for each in allowed]
    private = [each for each in addresses if not any(each in network for network in networks)]
    if url.scheme == "http" and private:
        raise AddressError("give a URL that begins with https://")
    if not all(map(_is_public, private)):
        raise AddressError(_nowhere(host))
    return Target(url, host, port, addresses)


def post(target: Target, body: bytes, headers: Mapping[str, str]) -> int:
    """Send a body to the addresses that were looked at, and return the status of the answer. Raises ReachError.

    The name is not asked for once more, so that it cannot stand for something else by now. A redirection is an
    answer like any other, and what is answered is not read.
    """
    last: Exception | None = None
    for address in target.addresses[:2]:
        try:
            return _post(target, str(address), body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            last = error
    raise ReachError(f"{target.host} could not be reached: {_in_words(last)}")


def _post(target: Target, address: str, body: bytes, headers: Mapping[str, str]) -> int:
    connection: Any = http.client.HTTPConnection(target.host, target.port)
    connection.sock = socket.create_connection((address, target.port), _CONNECT_SECONDS)
    # A timeout of a socket counts anew with each byte; whoever sends them one by one is cut off by this.
    cut = threading.Timer(_ANSWER_SECONDS, _cut, [connection])
    cut.start()
    try:
        connection.sock.settimeout(_ANSWER_SECONDS)
        if target.url.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(
                connection.sock, server_hostname=target.host, do_handshake_on_connect=False
            )
            connection.sock.do_handshake()
        path = (target.url.path or "/") + (f"?{target.url.query}" if target.url.query else "")
        connection.request("POST", path, body, dict(headers))
        status: int = connection.getresponse().status
        return status
    finally:
        cut.cancel()
        connection.close()


def _cut(connection: Any) -> None:
    with contextlib.suppress(OSError, TypeError):  # of one that has just been closed
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _addresses(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(_nowhere(host)) from None
    return [ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def _nowhere(host: str) -> str:
    """Return why nothing is sent to a name: whoever tries names is not told which of the firm's own there are."""
    return f"{host} is not known, or leads to no public address"


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if any(address in network for network in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _in_words(error: Exception | None) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ssl.SSLError):
        return "its certificate is not good, or it speaks no TLS"
    return "it did not answer" if error is None or isinstance(error, http.client.HTTPException) else str(error)[:200]
