"""Acts that two people are needed for: one asks, another confirms within an hour. Which acts is a setting."""

import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from apps.console.kinds import Given, Kind
from apps.console.models import Proposal

VALID = timedelta(hours=1)
_LISTED_MAX = 20


class TwoPeopleError(ValueError):
    """An act needs two people, and these are not two, or not in time; the message says what to do."""

    exit_code = 2


def needs_two(kind: Kind) -> bool:
    """Tell whether one person alone may not do an act."""
    return kind.name in settings.TWO_PEOPLE


def propose(kind: Kind, given: Given, user: str, why: str) -> Proposal:
    """Keep what somebody asks for, until another confirms it or an hour is over."""
    return Proposal.objects.create(
        id=uuid.uuid4(), at=datetime.now(UTC), user=user, name=kind.name, given=dict(given), why=why
    )


def open_proposals() -> list[Proposal]:
    """Return what waits for a second person, oldest first."""
    since = datetime.now(UTC) - VALID
    return list(Proposal.objects.filter(closed_at=None, at__gte=since).order_by("at")[:_LISTED_MAX])


def proposed(number: str, kind: Kind, given: Given) -> Proposal | None:
    """Return the open proposal of an act by its id, None where there is none of just this act."""
    try:
        wanted = uuid.UUID(number)
    except ValueError:
        return None
    since = datetime.now(UTC) - VALID
    found = Proposal.objects.filter(id=wanted, name=kind.name, closed_at=None, at__gte=since).first()
    return found if found is not None and found.given == dict(given) else None


def confirm(kind: Kind, proposal: Proposal | None, user: str) -> None:
    """Take a proposal as confirmed by somebody. Raises TwoPeopleError where nobody else has asked for it."""
    if proposal is None:
        raise TwoPeopleError(f"{kind.name} needs two people: one asks for it in the console, and another confirms it")
    if proposal.user == user:
        raise TwoPeopleError("you have asked for it yourself: somebody else has to confirm it")
    if not close(proposal, user):
        raise TwoPeopleError("somebody has confirmed or declined it meanwhile")


def close(proposal: Proposal, user: str) -> bool:
    """Note that somebody has confirmed a proposal or taken it back; return whether nobody else had before."""
    told = {"closed_at": datetime.now(UTC), "closed_by": user[:150]}
    return bool(Proposal.objects.filter(pk=proposal.pk, closed_at=None).update(**told))


def address(proposal: Proposal) -> str:
    """Return where a proposal is confirmed."""
    query = urlencode({**proposal.given, "proposal": str(proposal.pk)})
    return f"{reverse('act', args=[proposal.name])}?{query}"
