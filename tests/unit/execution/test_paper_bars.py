"""Bars at a paper broker that fills at once: what rests meets the path of those that began after it came."""

import numpy as np
import pytest

from apps.execution.contracts import ReportKind
from apps.execution.kernels.paper_tickets import PROTECTIVE
from apps.execution.packed import pack
from apps.execution.paper import protocol
from apps.execution.paper.book import Book
from apps.execution.paper.broker import Broker, Options, Work
from apps.execution.paper.faults import Faults
from tests.unit.execution.test_paper_tickets import TERMS
from trading.targets import LIMIT, MARKET

MINUTE = 60_000_000_000
FILLED = ReportKind.FILLED


class Floor:
    def __init__(self) -> None:
        self.broker = Broker(Book(), Options(), Faults())
        self.do(protocol.Open(rows=1, account=pack(np.ones(1, np.int64)), deposit_micro=b""))
        self.do(protocol.Login(rows=1, account=pack(np.ones(1, np.int64))))
        self.count = 0

    def do(self, request: protocol.Frame) -> list[protocol.Frame]:
        work = Work()
        self.broker.handle(0, request, 1, work)
        assert not any(isinstance(frame, protocol.Refused) for _, frame in work.answers), work.answers
        return [frame for _, frame in work.answers]

    def bar(self, minute: int, opened: int, high: int, low: int, close: int) -> None:
        points = {"open": opened, "high": high, "low": low, "close": close}
        columns = {
            f"{side}_{point}": pack(np.array([(ticks + 3 * (side == "ask")) * 10_000]))
            for side in ("bid", "ask")
            for point, ticks in points.items()
        }
        times = {"time_ns": minute * MINUTE, "closed_ns": (minute + 1) * MINUTE}
        self.do(protocol.Prices(rows=1, terms=[TERMS], **times, **columns))

    def submit(self, *orders: dict[str, int]) -> None:
        columns = {name: pack(np.array([each.get(name, 0) for each in orders])) for name in orders[0] | orders[-1]}
        n = len(orders)
        ids = np.array([f"order{self.count + k:019d}" for k in range(n)], "S24").tobytes()
        self.count += n
        self.do(
            protocol.Submit(
                session=1, deadline_ns=2**62, rows=n, terms=[TERMS], client_ids=ids,
                account=pack(np.ones(n, np.int64)), instrument=b"", **columns,
            )
        )  # fmt: skip

    def fills(self) -> list[tuple[int, int]]:
        """Return (steps, price in ticks) of all fills."""
        reports = self.broker.book.reports.rows
        fills = reports[reports["kind"] == FILLED]
        return list(zip(fills["steps"].tolist(), (fills["price_e9"] // 10_000).tolist(), strict=True))


@pytest.fixture
def floor() -> Floor:
    made = Floor()
    made.bar(0, 110_000, 110_000, 110_000, 110_000)
    return made


def test_a_stop_loss_is_hit_within_a_bar_that_closes_above_it(floor):
    floor.submit(
        {"steps": 5, "kind": MARKET, "tag": 1}, {"steps": -5, "kind": PROTECTIVE, "stop_ticks": 109_950, "tag": 1}
    )
    assert floor.fills() == [(5, 110_003)]
    floor.bar(1, 110_000, 110_010, 109_940, 110_005)
    assert floor.fills() == [(5, 110_003), (-5, 109_950)]


def test_a_limit_is_filled_within_a_bar_and_a_market_order_at_what_it_closed_with(floor):
    floor.submit({"steps": 5, "kind": LIMIT, "limit_ticks": 109_960})
    floor.bar(1, 110_000, 110_010, 109_940, 110_005)
    assert floor.fills() == [(5, 109_960)]
    floor.submit({"steps": 2, "kind": MARKET})
    assert floor.fills()[1:] == [(2, 110_008)]


def test_what_came_when_a_bar_had_begun_meets_its_close_alone(floor):
    floor.bar(1, 110_000, 110_000, 110_000, 110_000)
    floor.submit({"steps": 5, "kind": LIMIT, "limit_ticks": 109_960})
    floor.bar(0, 110_000, 110_010, 109_940, 110_000)  # of a longer interval, say, that had begun before
    assert floor.fills() == []
    floor.bar(2, 110_000, 110_010, 109_940, 110_005)
    assert floor.fills() == [(5, 109_960)]


def test_what_rests_before_there_are_prices_meets_the_path_of_the_second_bar():
    floor = Floor()
    floor.submit({"steps": 5, "kind": LIMIT, "limit_ticks": 109_960})
    floor.bar(0, 110_000, 110_010, 109_940, 110_000)
    assert floor.fills() == []
    floor.bar(1, 110_000, 110_010, 109_940, 110_000)
    assert floor.fills() == [(5, 109_960)]
