"""Bringing a context from a stage to another: who is to lead is written down, and every key is handed over."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from banyan.facade import Routing, Side, Stage, StageError
from banyan.facade.routing import change
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from extract.comparator.ledger import watch_anew
from extract.handing import Handed, Handing
from extract.own_tables import bring_along
from extract.sides import fences, held_by_nobody, led_by, not_relayed

DEAD_SECONDS = 0.5
LEVEL_SECONDS = 5.0
"""So long a follower may take to come to where its leader was when that was to change."""
_LEVEL_LOOK_SECONDS = 0.05
_LINK_SECONDS = 1.0
"""Within this every process of the app has seen a new stage and has its links."""


class Mover:
    """Moves one context; `say` is told what happens to each key."""

    def __init__(
        self, context: str, cluster: Cluster, topics: Topics, keys: Sequence[str], say: Callable[[str], object]
    ) -> None:
        self._context = context
        self._keys = keys
        self._say = say
        self._handing = Handing(context, cluster, topics)

    def move(
        self, before: Routing, stage: Stage, service_keys: frozenset[str], who: str, why: str,
        evidence: Sequence[Mapping[str, Any]],
    ) -> Routing:  # fmt: skip
        """Bring the context to a stage, or leave it where it was; return the routing that holds then.

        Raises StageError where keys could not be handed over; those that were are handed back.
        """
        wanted = Routing(stage, service_keys, before.version)
        leads = led_by(self._context, self._keys)
        known = fences(self._context, Side.APP, self._keys)
        # One that nobody leads is taken as from a dead leader; one that the app has never had will be led by it.
        to_app = [key for key in known if wanted.leader(key) is Side.APP and leads[key] is not Side.APP]
        to_service = [
            key for key in self._keys if wanted.leader(key) is Side.SERVICE and leads[key] is not Side.SERVICE
        ]
        self._wait_until_level([key for key in to_service if leads[key] is not None], Side.SERVICE)
        if before.stage is Stage.EXTRACTED:
            bring_along(self._context, Side.APP)
        if stage is Stage.EXTRACTED:
            bring_along(self._context, Side.SERVICE)
        self._hand(to_app, Side.APP)
        after = change(
            self._context, before, stage, who=who, why=why, evidence=evidence, service_keys=service_keys
        )  # fmt: skip
        watch_anew(self._context)
        if not to_service:
            return after
        time.sleep(_LINK_SECONDS)
        failed = [each for each in self._told(self._handing.hand_over(to_service, Side.SERVICE)) if not each.took]
        if failed:
            problem = f"{failed[0].key}: {failed[0].problem}"
            back = [key for key in to_service if key not in {each.key for each in failed}]
            self._hand(back, Side.APP)
            change(
                self._context, after, before.stage, who=who, why=f"not handed over: {problem}", evidence=[],
                service_keys=before.service_keys,
            )  # fmt: skip
            raise StageError(f"{self._context} is in stage {before.stage} again: {len(failed)} keys, {problem}")
        return after

    def _hand(self, keys: Sequence[str], to: Side) -> None:
        """Hand keys over, also from a leader that is dead. Raises StageError for those that stay where they are.

        A service that lives and neither hears nor says anything is fenced off, so that a way back needs nothing of it.
        """
        if not keys:
            return
        leads = led_by(self._context, keys)
        dead = self._dead(to.other, keys) | {key for key in keys if leads[key] is None}
        dead |= self._wait_until_level([key for key in keys if key not in dead], to)
        handed = self._handing.hand_over([key for key in keys if key not in dead], to)
        gone = dead | self._dead(to.other, [each.key for each in handed if not each.took])
        if to is Side.APP:
            gone |= {each.key for each in handed if each.is_mute}
        results = [each for each in handed if each.key not in gone] + self._handing.take_from_dead(sorted(gone), to)
        failed = [each for each in self._told(results) if not each.took]
        if failed:
            raise StageError(f"{len(failed)} keys stay where they are; {failed[0].key}: {failed[0].problem}")

    def _wait_until_level(self, keys: Sequence[str], to: Side) -> set[str]:
        """Wait until `to` has what the leaders of keys have now. Raises StageError where it does not get there in time.

        One that is behind could not take a key within its second, in which nobody would answer for it. Return the keys
        of a service that does not give Kafka its log, so that the app cannot get there.
        """
        if not keys:
            return set()
        wanted = {key: row.number for key, row in fences(self._context, to.other, keys).items()}
        until = time.monotonic() + LEVEL_SECONDS
        while True:
            there = fences(self._context, to, keys)
            behind = {
                key: number - (there[key].number if key in there else 0)
                for key, number in wanted.items()
                if key not in there or there[key].number < number
            }
            if not behind:
                return set()
            if time.monotonic() > until:
                break
            time.sleep(_LEVEL_LOOK_SECONDS)
        cut_off = behind.keys() & not_relayed(self._context, to.other, wanted) if to is Side.APP else set()
        slow = behind.keys() - cut_off
        if slow:
            worst = max(slow, key=lambda key: behind[key])
            raise StageError(
                f"{len(slow)} keys of {self._context} were not handed over, because the {to} does not catch up: "
                f"{worst} is {behind[worst]:,} records behind after {LEVEL_SECONDS:.0f} s. Does it run?"
            )
        return cut_off

    def _dead(self, side: Side, keys: Sequence[str]) -> set[str]:
        dead, given_back = held_by_nobody(self._context, side, keys, DEAD_SECONDS)
        return dead | given_back

    def _told(self, handed: Sequence[Handed]) -> Sequence[Handed]:
        for each in handed:
            outcome = f"handed over in {each.seconds * 1e3:.0f} ms" if each.took else each.problem
            self._say(f"  {each.key:<12} {outcome}")
        return handed
