"""Who leads, by the fence rows of sides."""

import psycopg
import pytest

from banyan.facade import Routing, Side, Stage
from extract import sides
from extract.sides import Fence, Head, heads, led_by

FOLLOWS, LEADS = Fence(3, 1, False), Fence(3, 1, True)


@pytest.mark.parametrize(
    ("stage", "service", "led", "asked"),
    [
        (Stage.INPROCESS, LEADS, None, [Side.APP]),
        (Stage.SHADOW, LEADS, Side.SERVICE, [Side.APP, Side.SERVICE]),
        (Stage.SHADOW, FOLLOWS, None, [Side.APP, Side.SERVICE]),
        (Stage.SHADOW, None, None, [Side.APP, Side.SERVICE]),
    ],
)
def test_a_services_database_is_asked_only_where_there_is_a_service(monkeypatch, stage, service, led, asked):
    seen = []

    def fences(_, side, keys):
        seen.append(side)
        if side is Side.SERVICE and service is None:
            raise psycopg.OperationalError("it is away")
        return dict.fromkeys(keys, FOLLOWS if side is Side.APP else service)

    monkeypatch.setattr(sides, "fences", fences)
    monkeypatch.setattr(sides, "routing_of", lambda _: Routing(stage))
    assert led_by("risk", ["00"]) == {"00": led}
    assert seen == asked


def test_an_app_that_is_run_without_a_context_has_nothing_of_its_own_to_ask(monkeypatch, settings):
    settings.EXTRACTED = frozenset({"risk"})
    monkeypatch.setattr(sides, "fences", lambda _, side, keys: dict.fromkeys(keys, LEADS))
    assert led_by("risk", ["00"]) == {"00": Side.SERVICE}


@pytest.mark.parametrize("leader", list(Side))
def test_a_log_ends_where_its_leader_is_and_not_where_the_app_has_come_to(monkeypatch, leader):
    rows = {leader: Fence(9, 2, True), leader.other: FOLLOWS}
    monkeypatch.setattr(sides, "fences", lambda _, side, keys: dict.fromkeys(keys, rows[side]))
    monkeypatch.setattr(sides, "routing_of", lambda _: Routing(Stage.LIVE))
    assert heads("risk", ["00"]) == {"00": Head(leader, 9)}
