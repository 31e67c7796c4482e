"""Acts recorded before they are done, and what became of them beside that: whoever acts, from wherever."""

import logging
import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from apps.console.models import Act, Outcome
from banyan import tracing
from banyan.commands import explained

_LOGGER = logging.getLogger(__name__)
Facts = dict[str, Any]


class Actor(NamedTuple):
    """Who acts, and from which address."""

    name: str
    address: str | None


class Became(NamedTuple):
    """What became of an act; `error` is why it was not done."""

    outcome: Outcome
    error: Exception | None


def recorded(
    actor: Actor, name: str, subject: str, why: str, *, before: Callable[[], Facts],
    do: Callable[[], tuple[str, Facts]], title: str = "",
) -> Became:  # fmt: skip
    """Record that an act is asked for, do it, and record what became of it. What goes wrong is told, never raised.

    The record names the request that is answered, and the commands by which the act was done.
    """
    request_id = tracing.current() or secrets.token_hex(16)
    act = Act.objects.create(
        id=uuid.uuid4(),
        at=datetime.now(UTC),
        user=actor.name[:150],
        address=actor.address,
        name=name,
        subject=subject[:200],
        why=why,
        before=_before(before),
        request_id=request_id,
    )
    error: Exception | None = None
    with tracing.traced(request_id), tracing.collected() as commands:
        try:
            text, after = do()
        except Exception as problem:  # noqa: BLE001  (whatever it is, it is recorded and told)
            error, after = problem, {}
            text = f"{title or name} was not done: {in_words(problem)}"
    outcome = Outcome.objects.create(
        act=act, at=datetime.now(UTC), is_done=error is None, text=text, after=after, commands=list(commands.values())
    )
    return Became(outcome, error)


def in_words(error: Exception) -> str:
    """Return what to tell of an error; one that nobody foresaw is logged."""
    found = explained(error)
    if found is None:
        _LOGGER.error("an act failed", exc_info=error)
        return f"it failed for a reason that nobody foresaw ({type(error).__name__}); the log has it"
    return found[0]


def _before(before: Callable[[], Facts]) -> Facts:
    try:
        return before()
    except Exception as error:  # noqa: BLE001  (an act is not kept from being done because nobody can tell how it was)
        return {"unknown": in_words(error)}
