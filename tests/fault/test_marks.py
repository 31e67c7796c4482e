"""From a falling price to a closed position, while no strategy says anything."""

import pytest

from apps.execution.book_contracts import MarkPrices
from apps.risk.contracts import Limits, SetLimits
from banyan.columns import ints
from tests.fault.pipeline import ACCOUNTS, KEYS, Pipeline
from tests.unit.execution.desk import EURUSD, QUOTES

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def held(pipeline: Pipeline) -> dict[int, int]:
    """Return what each account holds, in lot steps, where it holds anything."""
    found = {}
    for key in KEYS:
        state = pipeline.hosts[1].keys[key].state
        cells = state.cells.columns
        found.update(
            zip(state.accounts.columns["number"][cells["account"]].tolist(), cells["held"].tolist(), strict=True)
        )
    return {number: steps for number, steps in found.items() if steps}


def fall(pipeline: Pipeline, ticks: int) -> None:
    bid, ask = (each - ticks for each in QUOTES[EURUSD.id])
    pipeline.tell_broker(lambda client: client.quote(bid, ask, terms=EURUSD))
    for key in KEYS:
        pipeline.say(
            MarkPrices(instruments=[EURUSD.id], bid_ticks=ints([bid]), ask_ticks=ints([ask])), "execution", key
        )


def test_a_price_that_falls_stops_accounts_and_closes_what_they_hold_though_nothing_is_traded(make):
    pipeline = make(7)
    limits = Limits(drawdown_e9_max=20_000_000, flatten_on_stop=1)
    for key in KEYS:
        pipeline.say(SetLimits(limits=limits), "risk", key)
    pipeline.signal(0.6)
    pipeline.until(lambda: held(pipeline) == dict.fromkeys(ACCOUNTS, 60), "what all hold")
    fall(pipeline, 1_000)  # by 0.6 of 100,000 euros a loss of 600: 0.6 %
    pipeline.until(lambda: not any(pipeline.hosts[1].store.requests(KEYS)), "a look at the price")
    pipeline.turns(20)
    assert held(pipeline) == dict.fromkeys(ACCOUNTS, 60)
    pipeline.inject(reject=1.0)
    fall(pipeline, 4_000)
    pipeline.until(lambda: pipeline.facts().placed["is_rejected"].sum() >= len(ACCOUNTS), "closes that are rejected")
    assert held(pipeline) == dict.fromkeys(ACCOUNTS, 60)
    pipeline.inject()
    pipeline.until(lambda: not held(pipeline), "closes that are not")
    pipeline.signal(0.2)
    pipeline.check()
    assert not held(pipeline)
