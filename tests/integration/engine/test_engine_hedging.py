"""Hedging accounts: each version that opens something has a ticket with a bracket of its own."""

from tests.integration.engine.scripted import fills, flat, limit, lots, trade, weight
from trading.books import TICKETS

HEDGING = {"accounting": "hedging"}


def test_each_version_opens_a_ticket_with_its_own_bracket() -> None:
    bars = [*flat(100, 4), (100, 100, 96.5, 99), (99, 99, 94, 95)]
    script = {0: lots(10, stop_loss=97.0), 2: lots(15, stop_loss=95.0)}
    result = trade(bars, script, **HEDGING)
    assert fills(result)[2:] == [(4, -10.0, 97.0, "stop-loss"), (5, -5.0, 95.0, "stop-loss")]
    netting = trade(bars, script)
    assert fills(netting)[2:] == [(5, -15.0, 95.0, "stop-loss")]


def test_oldest_ticket_is_closed_first() -> None:
    bars = [*flat(100, 6), (100, 100, 96, 97)]
    script = {0: lots(10, stop_loss=97.0), 2: lots(15, stop_loss=96.5), 4: lots(5, stop_loss=96.5)}
    result = trade(bars, script, **HEDGING)
    # The ten of the first ticket go, so its stop at 97 is never touched.
    assert fills(result)[2:] == [(5, -10.0, 100.0, "target"), (6, -5.0, 96.5, "stop-loss")]


def test_turning_closes_every_ticket_and_then_opens_one() -> None:
    script = {0: lots(10), 2: lots(15), 4: lots(-5)}
    result = trade(flat(100, 7), script, **HEDGING)
    assert [fill[1] for fill in fills(result)] == [10.0, 5.0, -10.0, -5.0, -5.0]
    assert result.fill_records["position"].tolist() == [10.0, 15.0, 5.0, 0.0, -5.0]


def test_tickets_that_add_up_to_nothing_leave_nothing() -> None:
    script = {0: lots(0.1), 2: lots(0.3), 4: lots(0.0), 6: lots(0.7)}
    result = trade(flat(100, 9), script, **HEDGING)
    assert result.fill_records["position"].tolist()[-3:] == [result.fill_records["position"][2], 0.0, 0.7]
    assert result.trade_records["is_open"].tolist() == [0, 1]


def test_parts_of_an_order_share_its_ticket_and_trailing_stop() -> None:
    bars = [(*row, 100.0) for row in [*flat(100), (100, 110, 100, 109), *flat(109), (109, 109, 107, 107.5)]]
    result = trade(bars, {0: lots(20, trail=2.0)}, volume_cap=0.1, **HEDGING)
    assert fills(result) == [(1, 10.0, 100.0, "target"), (2, 10.0, 109.0, "target"), (3, -10.0, 108.0, "trail")]


def test_every_ticket_that_is_touched_is_closed_although_volume_runs_out() -> None:
    rows = [*flat(100, 5), (100, 100, 96, 99), *flat(99, 4)]
    bars = [(*row, 100.0) for row in rows]
    script = {0: lots(8, stop_loss=97.0), 2: lots(16, stop_loss=98.0)}
    result = trade(bars, script, volume_cap=0.1, **HEDGING)
    assert fills(result)[2:] == [
        (5, -8.0, 98.0, "stop-loss"), (5, -2.0, 97.0, "stop-loss"), (6, -6.0, 99.0, "stop-loss"),
    ]  # fmt: skip


def test_ticket_that_is_touched_when_no_volume_is_left_is_closed_although_the_price_comes_back() -> None:
    rows = [*flat(100, 6), (100, 100, 96, 99), *flat(99, 2)]
    bars = [(*row, 100.0) for row in rows]
    script = {0: lots(15, stop_loss=98.0), 3: lots(20, stop_loss=97.0)}
    result = trade(bars, script, volume_cap=0.1, **HEDGING)
    assert fills(result)[3:] == [
        (6, -10.0, 98.0, "stop-loss"), (7, -5.0, 99.0, "stop-loss"), (7, -5.0, 99.0, "stop-loss"),
    ]  # fmt: skip


def test_version_that_opens_nothing_moves_the_bracket_of_the_newest_ticket() -> None:
    bars = [*flat(100, 6), (100, 100, 96.5, 97), (97, 97, 90, 92)]
    script = {0: lots(10, stop_loss=91.0), 2: lots(15, stop_loss=95.0), 4: lots(12, stop_loss=97.0)}
    result = trade(bars, script, **HEDGING)
    assert fills(result)[2:] == [
        (5, -3.0, 100.0, "target"), (6, -5.0, 97.0, "stop-loss"), (7, -7.0, 91.0, "stop-loss"),
    ]  # fmt: skip


def test_stop_of_one_ticket_cancels_the_working_order() -> None:
    bars = [*flat(100, 4), (100, 100, 96, 99), (99, 99, 90, 95)]
    script = {0: lots(10, stop_loss=97.0), 2: limit(30, 95.0)}
    assert fills(trade(bars, script, **HEDGING))[1:] == [(4, -10.0, 97.0, "stop-loss")]


def test_more_entries_than_tickets_are_added_to_the_newest_and_said() -> None:
    count = TICKETS + 3
    script = {k: lots(10.0 * (k + 1)) for k in range(count)}
    result = trade(flat(10, count + 2), script, **HEDGING)
    assert result.fill_records["position"][-1] == 10.0 * count
    assert any("3 entries were added to an open ticket" in note for note in result.notes)


def test_entry_that_is_added_to_a_ticket_has_the_bracket_of_its_version() -> None:
    script = {k: lots(10.0 * (k + 1)) for k in range(TICKETS)}
    script[TICKETS] = lots(10.0 * (TICKETS - 1))  # closes the oldest, whose place the next one takes
    script[TICKETS + 1] = lots(10.0 * TICKETS)
    script[TICKETS + 2] = lots(10.0 * (TICKETS + 1), stop_loss=9.0)
    result = trade([*flat(10, TICKETS + 4), (10, 10, 8, 9)], script, **HEDGING)
    assert fills(result)[-1] == (TICKETS + 4, -20.0, 9.0, "stop-loss")


def test_rebalancing_up_adds_to_the_versions_ticket() -> None:
    bars = [*flat(100, 2), (100, 100, 80, 80), *flat(80), (80, 80, 70, 75)]
    result = trade(bars, {0: weight(0.5, stop_loss=72.0)}, sizing="weights", rebalance=0.02, **HEDGING)
    position = result.fill_records["position"].tolist()
    assert [fill[3] for fill in fills(result)] == ["target", "target", "stop-loss"]
    assert position[1] > position[0]
    assert position[2] == 0.0


def test_margin_call_closes_all_tickets() -> None:
    bars = [*flat(100, 4), *flat(59, 2)]
    result = trade(bars, {0: lots(1000), 2: lots(2000)}, leverage=3.0, **HEDGING)
    assert fills(result)[2:] == [(4, -1000.0, 59.0, "margin-call"), (4, -1000.0, 59.0, "margin-call")]
