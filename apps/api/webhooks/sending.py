"""Deliveries sent, in order of each webhook: again and again for half a day, later and later, then parked."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error, connections
from django.utils import timezone

from apps.api.models import Delivery, Webhook
from apps.api.webhooks.queueing import collect, open_webhooks
from apps.api.webhooks.reaching import AddressError, ReachError, post, target_of
from apps.api.webhooks.signing import DELIVERY, SIGNATURE, secrets_of, signature

_LOGGER = logging.getLogger(__name__)
ATTEMPTS_MAX = 16
_FIRST = timedelta(seconds=5)
_LATEST = timedelta(hours=1)
_LOOK_SECONDS = 0.5
_OTHERS_SECONDS = 5.0
_THREADS = 64
_KEPT = timedelta(days=7)
_LOCK = "api:webhooks"

Send = Callable[[Webhook, Delivery, datetime], str]
"""Sends a delivery and returns why it has not arrived, "" where it has."""


def sent(webhook: Webhook, delivery: Delivery, now: datetime) -> str:
    """Send a delivery; return why it has not arrived, "" where it has. Where the name leads to is looked at anew."""
    body = bytes(delivery.body)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Banyan-Webhooks/1",
        DELIVERY: str(delivery.pk),
        SIGNATURE: signature(secrets_of(webhook, now), body, int(now.timestamp())),
    }
    try:
        status = post(target_of(webhook.url, networks_of(webhook.client)), body, headers)
    except (AddressError, ReachError) as error:
        return str(error)
    return "" if 200 <= status < 300 else f"the receiver answered {status}"


def networks_of(client: str) -> tuple[str, ...]:
    """Return the networks of the firm that webhooks may lead to: those of its own keys, and of no client's."""
    networks: tuple[str, ...] = () if client else settings.WEBHOOK_NETWORKS
    return networks


def due(now: datetime, busy: frozenset[str] = frozenset()) -> list[Delivery]:
    """Return of each webhook that is on and not busy the delivery that comes next, if its time has come."""
    waiting = Delivery.objects.filter(state="waiting", webhook__in=open_webhooks(now)).exclude(webhook__in=busy)
    first = waiting.order_by("webhook_id", "id").distinct("webhook_id").select_related("webhook")
    return [each for each in first if each.next_at <= now]


def deliver(delivery: Delivery, now: datetime, send: Send = sent) -> None:
    """Send a delivery, and keep what became of it."""
    problem = send(delivery.webhook, delivery, now)
    attempts = delivery.attempts + 1
    values: dict[str, object] = {"attempts": attempts, "problem": problem, "tried_at": now}
    if not problem:
        values["state"] = "delivered"
    elif attempts >= ATTEMPTS_MAX:
        values["state"] = "parked"
    else:
        values["next_at"] = now + min(_LATEST, _FIRST * 2 ** (attempts - 1))
    Delivery.objects.filter(pk=delivery.pk, state="waiting").update(**values)


def retain(now: datetime, *, is_dry: bool) -> Iterator[str]:
    """Forget deliveries that have arrived a week ago, and parked ones after 90 days; yield what went, in words."""
    gone = Delivery.objects.filter(state="delivered", made_at__lt=now - _KEPT) | Delivery.objects.filter(
        state="parked", made_at__lt=now - timedelta(days=90)
    )
    count = gone.count()
    if not is_dry:
        gone.delete()
    if count:
        yield f"{count:,} deliveries"


class WebhookWorker:
    """Collects and sends, in one process at a time. Who answers slowly takes a thread, and nobody else waits."""

    name = "webhooks"

    def __init__(
        self, send: Send = sent, look_seconds: float = _LOOK_SECONDS, woken: threading.Event | None = None
    ) -> None:  # fmt: skip
        self._send = send
        self._look_seconds = look_seconds
        self._woken = woken or threading.Event()
        self._sending: dict[str, Future[None]] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; what is being sent then is sent again by the next, under the same id."""
        threads = ThreadPoolExecutor(_THREADS, "webhook")
        try:
            while not stop.is_set():
                try:
                    with _alone() as is_alone:
                        while is_alone and not stop.is_set():
                            is_behind = self._step(threads)
                            self._woken.wait(0.0 if is_behind else self._look_seconds)
                except Error as problem:
                    _LOGGER.warning("webhooks: a database is away, it is tried again: %s", problem)
                    connections.close_all()
                self._woken.wait(_OTHERS_SECONDS)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            connections.close_all()

    def wake(self) -> None:
        """Stop waiting."""
        self._woken.set()

    def _step(self, threads: ThreadPoolExecutor) -> bool:
        """Collect a piece, and have sent what is due; tell whether there is more to collect."""
        self._sending = {webhook: each for webhook, each in self._sending.items() if not each.done()}
        collected = collect()
        for delivery in due(timezone.now(), frozenset(self._sending)):
            self._sending[delivery.webhook_id] = threads.submit(self._deliver, delivery)
        return collected.is_behind

    def _deliver(self, delivery: Delivery) -> None:
        try:
            deliver(delivery, timezone.now(), self._send)
        except Exception:
            _LOGGER.exception("delivery %s could not be sent", delivery.pk)
            deliver(delivery, timezone.now(), lambda *_: "It could not be sent, and it is our mistake.")
        finally:
            connections.close_all()


@contextmanager
def _alone() -> Iterator[bool]:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [_LOCK])
        (is_alone,) = cursor.fetchone()
        try:
            yield is_alone
        finally:
            if is_alone and connections["default"].is_usable():
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [_LOCK])
