"""How a context stands on its way out of the app, as the board and `manage.py extract status` tell it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string

from banyan.facade import Routing, Side, Stage
from banyan.facade.routing import routing_of
from extract.comparator.ledger import reached, totals
from extract.keys import keys_of
from extract.sides import fences, heads

STAGES = list(Stage)
BACK = {
    Stage.INPROCESS: Stage.INPROCESS,
    Stage.SHADOW: Stage.INPROCESS,
    Stage.CANARY: Stage.SHADOW,
    Stage.LIVE: Stage.SHADOW,
    Stage.EXTRACTED: Stage.LIVE,
}
"""Where a roll-back leads from each stage."""


class KeyRow(NamedTuple):
    """A key: who is wanted to lead it and who does, how long its log is, and how far its follower was compared."""

    key: str
    wanted: Side
    leads: Side | None
    number: int
    compared: int | None
    digest: str

    @property
    def behind(self) -> int | None:
        """How many records the follower has not been compared in; None: nobody has seen one."""
        return None if self.compared is None else max(0, self.number - self.compared)


class Hour(NamedTuple):
    """What was compared in the last hour, and how long both sides took for a record; None: there was nothing."""

    records: int
    differing: int
    late: int
    leader_ms: float | None
    follower_ms: float | None

    @property
    def rate(self) -> float | None:
        """Which part of the records differed, in per cent."""
        return 100.0 * self.differing / self.records if self.records else None


class Standing(NamedTuple):
    """A context on the board."""

    context: str
    routing: Routing
    keys: list[KeyRow]
    hour: Hour

    @property
    def wrong(self) -> list[KeyRow]:
        """Keys that are led by nobody, or by another side than is wanted."""
        return [each for each in self.keys if each.leads is not each.wanted]

    @property
    def next(self) -> Stage | None:
        """The stage after this one, None after the last."""
        at = STAGES.index(self.routing.stage)
        return STAGES[at + 1] if at + 1 < len(STAGES) else None

    @property
    def back(self) -> Stage:
        """Where a roll-back leads."""
        return BACK[self.routing.stage]


def standing_of(context: str) -> Standing:
    """Return how a context stands."""
    keys = all_keys(context)
    routing = routing_of(context)
    ends = heads(context, keys)
    leads = {key: end.side for key, end in ends.items()} if routing.has_service else _in_app(context, keys)
    there = {} if context in settings.EXTRACTED else reached(context)
    rows = [
        KeyRow(
            key, routing.leader(key), leads[key], ends[key].number,
            there[key].number if key in there else None, there[key].digest if key in there else "",
        )
        for key in keys
    ]  # fmt: skip
    return Standing(context, routing, rows, _hour(context))


def _in_app(context: str, keys: Sequence[str]) -> Mapping[str, Side | None]:
    """Return who leads each key of a context without a service: one that is new is the app's."""
    app = fences(context, Side.APP, keys)
    return {key: Side.APP if key not in app or app[key].is_leading else None for key in keys}


def all_keys(context: str) -> Sequence[str]:
    """Return the keys of a context that can be carved out."""
    return keys_of(context, import_string(settings.TOPIC_NAMES))


def _hour(context: str) -> Hour:
    sums = totals(context, datetime.now(UTC) - timedelta(hours=1))
    records = sums["same"] + sums["differing"]
    leader, follower = (
        sums[name] / records / 1e6 if records else None for name in ("leader_ns", "follower_ns")
    )  # fmt: skip
    return Hour(records, sums["differing"], sums["late"], leader, follower)
