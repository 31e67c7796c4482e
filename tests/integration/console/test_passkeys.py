"""Passkeys: made, asked for at the door and before what is dangerous, good once, and for their owner and name alone."""

import hashlib
import json
import re
import secrets
import struct

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from webauthn.helpers import bytes_to_base64url

from apps.console import second_factor
from apps.console.models import Act, Passkey, SecondFactor
from apps.console.sessions import CONFIRMED
from tests.integration.console.conftest import ALL, PASSWORD, person

pytestmark = pytest.mark.django_db(databases=ALL)
PRESENT, VERIFIED, NEW = 1, 4, 64


class Device:
    """What holds a passkey: it answers as a browser does that has asked its owner."""

    def __init__(self, origin="http://testserver", name="testserver", *, counts=True):
        self.counts = counts
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential = secrets.token_bytes(32)
        self.origin, self.name, self.signed = origin, name, 0

    def made(self, options):
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        own = bytes(16) + struct.pack(">H", len(self.credential)) + self.credential + cbor2.dumps(public)
        attested = {"fmt": "none", "attStmt": {}, "authData": self._data(PRESENT | VERIFIED | NEW) + own}
        return self._answer(
            clientDataJSON=self._client("webauthn.create", options), attestationObject=cbor2.dumps(attested)
        )

    def used(self, options):
        self.signed += self.counts
        data, client = self._data(PRESENT), self._client("webauthn.get", options)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature)

    def _data(self, flags):
        return hashlib.sha256(self.name.encode()).digest() + bytes([flags]) + struct.pack(">I", self.signed)

    def _client(self, kind, options):
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _answer(self, **parts):
        told = {name: bytes_to_base64url(part) for name, part in parts.items()}
        own = bytes_to_base64url(self.credential)
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": told})


@pytest.fixture
def ann(client):
    person("ann", "viewers", "operators")
    client.post(reverse("sign-in"), {"username": "ann", "password": PASSWORD})
    return client


def add(client, device, **more):
    options = client.post(reverse("you-passkey-options")).json()
    posted = {"made": device.made(options), "passkey_name": "laptop", "password": PASSWORD, **more}
    return client.post(reverse("you-add-passkey"), posted)


def answered(client, device):
    return device.used(client.post(reverse("sign-in-passkey")).json())


def half_in(client, password=PASSWORD):
    client.logout()
    return client.post(reverse("sign-in"), {"username": "ann", "password": password, "next": "/audit/"})


def test_a_passkey_is_made_and_asked_for_at_the_door(ann):
    device = Device()
    response = add(ann, device)
    assert len(re.findall(r"<code>\w{4}-\w{4}-\w{4}</code>", response.content.decode())) == 10
    known = Passkey.objects.get()
    assert (known.name, known.host, bytes(known.credential)) == ("laptop", "testserver", device.credential)
    assert Act.objects.get().name == "you.passkey-on"
    assert half_in(ann).headers["Location"] == "/sign-in/code/?next=%2Faudit%2F"
    page = ann.get("/sign-in/code/")
    assert page.context["has_passkey"]
    assert ann.get("/you/").status_code == 302  # half in is not in
    wrong = ann.post("/sign-in/code/", {"passkey": answered(ann, Device())})
    assert (wrong.status_code, "try it once more" in wrong.content.decode()) == (422, True)
    right = answered(ann, device)
    signed = ann.post("/sign-in/code/?next=/audit/", {"passkey": right, "next": "/audit/"})
    assert signed.headers["Location"] == "/audit/"
    assert ann.get("/you/").status_code == 200
    known.refresh_from_db()
    assert (known.sign_count, known.used_at is not None) == (1, True)


def test_an_answer_is_good_once_and_only_to_what_was_asked(ann):
    device = Device()
    add(ann, device)
    half_in(ann)
    right = answered(ann, device)
    first = ann.session.session_key
    assert ann.post("/sign-in/code/", {"passkey": right}).status_code == 302
    assert ann.session.session_key != first
    half_in(ann)
    assert ann.post("/sign-in/code/", {"passkey": right}).status_code == 422  # nothing was asked
    ann.post(reverse("sign-in-passkey"))
    assert ann.post("/sign-in/code/", {"passkey": right}).status_code == 422  # another challenge was
    device.signed = 0  # as a copy of the device has it, which has signed less often
    assert ann.post("/sign-in/code/", {"passkey": answered(ann, device)}).status_code == 422


def test_an_answer_of_a_device_that_does_not_count_is_good_once_too(ann, kill_switch):
    device = Device(counts=False)
    add(ann, device)
    proof = {"why": "over", "password": PASSWORD, "passkey": answered(ann, device)}
    for status in (302, 422):
        session = ann.session
        session[CONFIRMED] = timezone.now().timestamp() - 600
        session.save()
        assert ann.post("/act/kill-switch.lift/", proof).status_code == status


@pytest.mark.parametrize(
    "device",
    [Device(origin="https://testserver"), Device(origin="http://evil.example"), Device(name="evil.example")],
    ids=["another scheme", "another origin", "another name"],
)
def test_a_passkey_for_somewhere_else_is_none_here(ann, device):
    assert add(ann, device).status_code == 422
    assert not Passkey.objects.exists()


@pytest.mark.parametrize("junk", ["", "{", "[]", "{}", '{"id": 1, "rawId": "*"}', '"x"', "9" * 30_000])
def test_junk_is_no_answer(ann, junk):
    device = Device()
    add(ann, device)
    ann.post(reverse("you-passkey-options"))
    posted = {"made": junk, "passkey_name": "x", "password": PASSWORD, "passkey": answered(ann, device)}
    assert ann.post(reverse("you-add-passkey"), posted).status_code == 422
    half_in(ann)
    ann.post(reverse("sign-in-passkey"))
    assert ann.post("/sign-in/code/", {"passkey": junk}).status_code == 422
    assert Passkey.objects.count() == 1


def test_the_passkey_of_one_lets_nobody_else_in(ann, client):
    device = Device()
    add(ann, device)
    person("bob", "viewers")
    ann.logout()
    client.post(reverse("sign-in"), {"username": "bob", "password": PASSWORD})
    bobs = Device()
    add(client, bobs)
    client.logout()
    client.post(reverse("sign-in"), {"username": "bob", "password": PASSWORD})
    assert client.post("/sign-in/code/", {"passkey": answered(client, device)}).status_code == 422
    assert client.post("/sign-in/code/", {"passkey": answered(client, bobs)}).status_code == 302
    stolen = Device()
    stolen.credential = device.credential  # one that says that it is another's
    assert add(client, stolen, passkey=answered(client, bobs)).status_code == 422


def test_before_what_is_dangerous_the_passkey_is_asked_for_too(ann, kill_switch):
    device = Device()
    add(ann, device)
    session = ann.session
    session[CONFIRMED] = timezone.now().timestamp() - 600
    session.save()
    asked = ann.get("/act/kill-switch.lift/")
    assert (asked.context["proof"].has_passkey, asked.context["proof"].has_authenticator) == (True, False)
    lift = {"why": "over", "password": PASSWORD}
    assert ann.post("/act/kill-switch.lift/", lift).status_code == 422
    assert ann.post("/act/kill-switch.lift/", lift | {"passkey": answered(ann, Device())}).status_code == 422
    assert ann.post("/act/kill-switch.lift/", lift | {"passkey": answered(ann, device)}).status_code == 302


def test_a_written_down_code_is_good_where_the_passkey_is_lost_and_nothing_is_left_when_the_last_is_removed(ann):
    device = Device()
    codes = re.findall(r"<code>(\w{4}-\w{4}-\w{4})</code>", add(ann, device).content.decode())
    user = SecondFactor.objects.get()
    half_in(ann)
    assert ann.post("/sign-in/code/", {"code": "000000"}).status_code == 422
    assert ann.post("/sign-in/code/", {"code": codes[0]}).status_code == 302
    second = Device()
    assert add(ann, second).status_code == 422  # the first one, or a code, is asked for
    assert add(ann, second, passkey=answered(ann, device)).headers["Location"] == "/you/"
    remove = {"which": Passkey.objects.order_by("id")[0].pk, "password": PASSWORD}
    assert ann.post(reverse("you-remove-passkey"), remove | {"code": codes[0]}).status_code == 422  # it was used
    assert ann.post(reverse("you-remove-passkey"), remove | {"code": codes[1]}).status_code == 302
    assert SecondFactor.objects.get().user_id == user.user_id
    remove["which"] = Passkey.objects.get().pk
    assert ann.post(reverse("you-remove-passkey"), remove | {"passkey": answered(ann, second)}).status_code == 302
    assert not SecondFactor.objects.exists()
    assert half_in(ann).headers["Location"] == "/audit/"
    assert ann.get("/you/").status_code == 200


def test_an_authenticator_goes_and_passkeys_and_their_codes_stay(ann):
    add(ann, Device())
    user = SecondFactor.objects.get()
    SecondFactor.objects.update(confirmed_at=timezone.now())
    before = second_factor.secret_of(SecondFactor.objects.get())
    owner = User.objects.get(pk=user.user_id)
    assert second_factor.remove_authenticator(owner)
    after = SecondFactor.objects.get()
    assert (after.confirmed_at, len(after.recovery)) == (None, 10)
    assert second_factor.secret_of(after) != before
    assert second_factor.remove(owner)
    assert (Passkey.objects.count(), SecondFactor.objects.count()) == (0, 0)


def test_by_an_address_no_passkey_is_made(ann):
    response = ann.post(reverse("you-passkey-options"), headers={"host": "127.0.0.1:8000"})
    assert response.status_code == 422
    assert "by its name" in response.json()["problem"]
    assert "http://localhost:8000/" in ann.get("/you/", headers={"host": "127.0.0.1:8000"}).content.decode()
    assert ann.post(reverse("sign-in-passkey"), headers={"host": "localhost"}).status_code == 422  # none for that name
    ann.logout()
    assert ann.post(reverse("sign-in-passkey")).status_code == 401
