"""What others may ask of the console: acts with a record of them, who did what, pages of its kind, the pulse."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from apps.console.access import OPERATE, PEOPLE, acting, page
from apps.console.acts import KINDS
from apps.console.addresses import address_of
from apps.console.asking import Asking
from apps.console.doing import carried_out
from apps.console.kinds import Danger, Given, Kind
from apps.console.models import Act
from apps.console.paging import before
from apps.console.proving import doubted, proof_wanted
from apps.console.pulse import PULSE, Beat
from apps.console.recording import Actor, Became, Facts, recorded
from banyan.tracing import Asked

__all__ = [
    "KINDS", "OPERATE", "PEOPLE", "PULSE", "Actor", "Asking", "Beat", "Became", "Danger", "Facts", "Given", "Kind",
    "Told", "acting", "acts", "address_of", "carried_out", "doubted", "page", "proof_wanted", "recorded",
]  # fmt: skip


class Told(NamedTuple):
    """An act: who asked for what, when, from where and why, how it stood, and what became of it (None: cut off).

    `request_id` is of the request that asked for it, `commands` are what was asked for it, of each key the first.
    """

    id: UUID
    at: datetime
    user: str
    address: str | None
    name: str
    subject: str
    why: str
    before: dict[str, Any]
    is_done: bool | None
    text: str
    after: dict[str, Any]
    request_id: str
    commands: list[Asked]


def acts(
    most: int, *, user: str = "", name: str = "", request_id: str = "", place: tuple[datetime, UUID] | None = None
) -> list[Told]:  # fmt: skip
    """Return acts, newest first, after the one at `place`: of a user, of a kind, or that a request asked for."""
    wanted = {"user": user, "name": name, "request_id": request_id}
    found = Act.objects.select_related("outcome").filter(**{column: of for column, of in wanted.items() if of})
    if place is not None:
        found = found.filter(before(("at", "id"), place))
    return [_told(each) for each in found.order_by("-at", "-id")[:most]]


def _told(act: Act) -> Told:
    outcome = getattr(act, "outcome", None)
    is_done, text, after, commands = (
        (None, "", {}, []) if outcome is None else (outcome.is_done, outcome.text, outcome.after, outcome.commands)
    )
    return Told(
        act.id, act.at, act.user, act.address, act.name, act.subject, act.why, act.before, is_done, text, after,
        act.request_id, [Asked(*each) for each in commands],
    )  # fmt: skip
