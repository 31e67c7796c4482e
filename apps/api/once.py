"""Each POST is done once, however often it is asked for: its answer is kept under the caller's Idempotency-Key.

The row is there before anything is done, and who does it holds a lock of the database's session. So whoever asks
meanwhile is told to wait, and a row without an answer that nobody holds was cut off: it is done again under the same
id, by which whoever applies it knows that it was applied already.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connections
from django.utils import timezone

from apps.api.models import Post
from apps.api.problems import Problem
from banyan.store import SOON

ANSWER_KEPT = timedelta(days=1)
KEPT = timedelta(days=180)
"""As long as contexts know the ids of what people have sent them."""
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BEGIN = (
    f"{SOON} INSERT INTO api_post (holder, key, digest, begun_at) "  # noqa: S608  (names of ours)
    "SELECT %s, %s, %s, %s FROM soon ON CONFLICT DO NOTHING"
)
"""Nobody waits for its commit: the record of what is done then is committed after it, and is waited for."""


class Answer(NamedTuple):
    """What is answered, and, where that is not for ever, what of it is kept."""

    status: int
    body: bytes
    is_replayed: bool = False
    kept: bytes | None = None


def once(holder: str, key: str, content: bytes, do: Callable[[], Answer]) -> Answer:
    """Return what `do` answers, or what was answered before to the same key. Raises Problem.

    What `do` raises is not kept: who asks again has it done.
    """
    if not _KEY.fullmatch(key):
        raise Problem("idempotency-key-missing")
    digest = hashlib.sha256(content).hexdigest()
    posts = Post.objects.filter(holder=holder, key=key)
    with connections["default"].cursor() as cursor:
        cursor.execute(_BEGIN, [holder, key, digest, timezone.now()])
    with _only_one(holder, key):
        found = posts.get()
        if found.digest != digest:
            raise Problem("idempotency-key-reused")
        if found.answered_at is not None:
            return _kept(found)
        answer = do()
        posts.update(answered_at=timezone.now(), status=answer.status, answer=answer.kept or answer.body)
        return answer


def retain(now: datetime, *, is_dry: bool) -> Iterator[str]:
    """Forget answers that are a day old, and keys as contexts forget ids; yield what went, in words."""
    answers = Post.objects.filter(answered_at__lt=now - ANSWER_KEPT, answer__isnull=False)
    keys = Post.objects.filter(begun_at__lt=now - KEPT)
    counts = (answers.count(), keys.count())
    if not is_dry:
        answers.update(answer=None)
        keys.delete()
    for count, what in zip(counts, ("answers", "idempotency keys"), strict=True):
        if count:
            yield f"{count:,} {what}"


def _kept(found: Post) -> Answer:
    assert found.answered_at is not None
    if found.answer is None or timezone.now() - found.answered_at >= ANSWER_KEPT:
        raise Problem("key-expired")
    assert found.status is not None
    return Answer(found.status, bytes(found.answer), is_replayed=True)


@contextmanager
def _only_one(holder: str, key: str) -> Iterator[None]:
    name = f"api:{holder}:{key}"
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        if not cursor.fetchone()[0]:
            raise Problem("in-flight", headers={"Retry-After": "1"})
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
