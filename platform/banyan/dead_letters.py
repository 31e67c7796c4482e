"""Messages that could not be processed, and keys that stopped at one."""

from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string

from banyan.clock import SystemClock
from banyan.codec import CodecError, decode_envelope, decode_message
from banyan.ids import derive
from banyan.models import DeadLetter, Key
from banyan.store import Store
from banyan.transport import Command, ask

_SHOWN_MAX = 200


class LetterError(ValueError):
    """What was asked of a dead letter cannot be; the message says why."""


class Letter(NamedTuple):
    """A message, or rows of one, that was put aside."""

    context: str
    id: int
    key: str
    number: int
    message: str
    rows: int | None
    parked_at: datetime
    reason: str
    status: str = DeadLetter.Status.OPEN


class ReadLetter(NamedTuple):
    """A dead letter with all that it holds, as text."""

    letter: Letter
    rows: list[int] | None
    accounts: list[int] | None
    envelope: str
    message: str


class Stopped(NamedTuple):
    """A key that takes no input, and why."""

    context: str
    key: str
    reason: str


def letters_of(context: str, *, everything: bool = False) -> list[Letter]:
    """Return the open dead letters of a context, the newest first; or with `everything` those dealt with too."""
    found = DeadLetter.objects.using(context).order_by("-id")
    if not everything:
        found = found.filter(status=DeadLetter.Status.OPEN)
    return [_told(context, each) for each in found.defer("body")[:_SHOWN_MAX]]


def letters_after(place: tuple[str, int] | None, most: int, *, context: str = "") -> list[Letter]:
    """Return open dead letters of a context, or ("") of all, one after the other: of each the newest first.

    They begin after `place`, (context, id) of the last that was returned before. Raises LetterError for a context that
    there is not.
    """
    contexts: list[str] = list(import_string(settings.HOSTED_CONTEXTS))
    for name in (context, "" if place is None else place[0]):
        if name:
            _check(name)
    begin = 0 if place is None else contexts.index(place[0])
    found: list[Letter] = []
    for name in contexts[begin:]:
        if context in ("", name) and len(found) < most:
            open_ones = DeadLetter.objects.using(name).filter(status=DeadLetter.Status.OPEN)
            if place is not None and name == place[0]:
                open_ones = open_ones.filter(id__lt=place[1])
            found += [_told(name, each) for each in open_ones.order_by("-id").defer("body")[: most - len(found)]]
    return found


def read(context: str, letter: str) -> ReadLetter:
    """Return a letter with all that it holds. Raises LetterError where there is none."""
    found = _letter(context, letter)
    texts = (bytes(each).decode(errors="replace") for each in (found.header, found.body))
    return ReadLetter(_told(context, found), found.rows, found.accounts, *texts)


def stopped_of(context: str) -> list[Stopped]:
    """Return the keys of a context that have stopped."""
    found = Key.objects.using(context).exclude(parked_because="").order_by("key")
    return [Stopped(context, key.key, key.parked_because) for key in found]


def shown(context: str, letter: str) -> dict[str, Any]:
    """Return what is known of a letter, as JSON has it. Raises LetterError where there is none."""
    found = _letter(context, letter)
    return {"key": found.key, "number": found.number, "status": found.status, "reason": found.reason}


def redrive(context: str, letter: str) -> tuple[str, dict[str, Any]]:
    """Send a letter again as a new message. Raises LetterError for one that cannot be."""
    found = _letter(context, letter)
    if found.status != DeadLetter.Status.OPEN:
        raise LetterError(f"dead letter {found.pk} of {context} was {found.status} already")
    if found.rows is not None:
        raise LetterError("rows of a message are not sent again: the next message for these accounts corrects them")
    try:
        message = decode_message(decode_envelope(bytes(found.header)).name, bytes(found.body))
    except CodecError as problem:
        raise LetterError(f"it cannot be decoded: {problem}") from None
    store = Store(context)
    ask(store, [Command(found.key, message, derive("redrive", context, found.pk))], SystemClock().wall_ns())
    store.close()
    return _mark(context, found, DeadLetter.Status.REDRIVEN, f"Sent again to {context}/{found.key}.")


def drop(context: str, letter: str) -> tuple[str, dict[str, Any]]:
    """Give a letter up."""
    return _mark(context, _letter(context, letter), DeadLetter.Status.DROPPED, "Dropped.")


def release(context: str, key: str) -> tuple[str, dict[str, Any]]:
    """Let a key go on that has stopped. Raises LetterError where it has not."""
    _check(context)
    if not Key.objects.using(context).filter(key=key).exclude(parked_because="").exists():
        raise LetterError(f"{context}/{key} has not stopped")
    store = Store(context)
    store.unpark(key)
    store.close()
    return f"{context}/{key} goes on.", {"released": key}


def _told(context: str, found: DeadLetter) -> Letter:
    try:
        name = decode_envelope(bytes(found.header)).name
    except CodecError:
        name = "unreadable"
    rows = None if found.rows is None else len(found.rows)
    return Letter(context, found.pk, found.key, found.number, name, rows, found.parked_at, found.reason, found.status)


def _letter(context: str, letter: str) -> DeadLetter:
    _check(context)
    found = DeadLetter.objects.using(context).filter(pk=letter).first() if letter.isdigit() else None
    if found is None:
        raise LetterError(f"{context} has no dead letter {letter}")
    return found


def _check(context: str) -> None:
    if context not in import_string(settings.HOSTED_CONTEXTS):
        raise LetterError(f"there is no context {context} with dead letters")


def _mark(context: str, letter: DeadLetter, status: str, text: str) -> tuple[str, dict[str, Any]]:
    letter.status = status
    letter.save(using=context, update_fields=["status"])
    return text, {"status": str(status)}
