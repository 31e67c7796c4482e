"""What waits for a second person, declined by them or taken back by who asked for it."""

import uuid

from apps.console.kinds import Danger, Done, Given, Kind
from apps.console.models import Proposal
from apps.console.proposing import TwoPeopleError, close
from apps.console.recording import Facts


def _found(given: Given) -> Proposal:
    try:
        found = Proposal.objects.filter(id=uuid.UUID(given["proposal"])).first()
    except ValueError:
        found = None
    if found is None:
        raise TwoPeopleError("nobody has asked for this")
    return found


def _stands(given: Given) -> Facts:
    found = _found(given)
    return {"act": found.name, "of": found.given, "asked for by": found.user, "why": found.why}


def _declines(given: Given) -> list[str]:
    found = _found(given)
    about = " ".join(map(str, found.given.values()))
    return [f"{found.user} asks for {found.name} {about}: {found.why}", "Nothing of it is done."]


def _decline(given: Given, why: str, _: str) -> Done:
    found = _found(given)
    if not close(found, why.partition(":")[0]):
        raise TwoPeopleError(f"it was confirmed or declined already, by {found.closed_by}")
    return f"{found.name} is not done.", {"declined": found.name}


PROPOSAL_KINDS = (
    Kind("proposal.decline", "Decline what somebody asks for", "Decline it", Danger.SOME, _declines, _stands, _decline,
         about=("proposal",)),
)  # fmt: skip
