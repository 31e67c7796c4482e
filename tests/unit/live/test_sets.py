import json

import numpy as np
import pytest

from apps.feeds.contracts import BarClosed
from apps.signals.contracts import (
    BarsApplied,
    ChannelSpec,
    DefineSet,
    MemberSpec,
    RunSet,
    SetRefused,
    SetRun,
    TargetSet,
    WarmedUp,
    WarmUp,
)
from apps.signals.core import SIGNALS, decide, evolve, warmed
from apps.signals.interface import StrategyError, get_strategy
from apps.signals.state import SNAPSHOT_VERSION, from_snapshot, to_snapshot
from banyan.codec import decode_message, encode_message
from banyan.columns import ints
from banyan.messages import Message, Received, TimerCancelled, TimerDue, TimerSet

HOUR = 3_600_000_000_000
EUR = ChannelSpec(instrument="OANDA:EURUSD", interval_ns=HOUR, tick_e9=10_000)
GBP = ChannelSpec(instrument="OANDA:GBPUSD", interval_ns=HOUR, tick_e9=10_000)


def member(strategy, *channels, share_e9=1_000_000_000, **parameters):
    return MemberSpec(
        strategy=strategy,
        code_hash=get_strategy(strategy).code_hash,
        parameters=parameters,
        channels=list(channels),
        share_e9=share_e9,
    )


def bars(hour, **closes):
    ticks = ints(list(closes.values()))
    names = {"EUR": EUR.instrument, "GBP": GBP.instrument}
    columns = {f"{side}_{name}": ticks + (side == "ask") * 2 for side in ("bid", "ask") for name in
               ("open", "high", "low", "close")}  # fmt: skip
    return BarClosed(
        feed="test", interval_ns=HOUR, closed_at_ns=hour * HOUR, instruments=[names[each] for each in closes],
        revision=ticks * 0, volume_e6=ticks * 0 - 1, **columns,
    )  # fmt: skip


class Driven:
    """A set that is driven by hand: every message passes the codec, and a second state follows the events alone."""

    def __init__(self, *members, grace_ns=1_000_000_000, warms_up=False, conversions=()):
        self.state = SIGNALS.new_state("s")
        self.follower = SIGNALS.new_state("s")
        self.give(
            DefineSet(
                set="s", members=list(members), grace_ns=grace_ns, warms_up=warms_up, conversions=list(conversions)
            )
        )
        self.give(RunSet(set="s", is_running=True))

    def give(self, message: Message) -> list[Message]:
        received = Received(message=self.coded(message), id="x", key="s", received_at_ns=7, event_time_ns=7)
        before = to_snapshot(self.state)
        events = [self.coded(event) for event in decide(self.state, received)]
        assert to_snapshot(self.state) == before, "decide has changed the state"
        for event in events:
            self.state, self.follower = evolve(self.state, event), evolve(self.follower, event)
        assert to_snapshot(self.follower) == to_snapshot(self.state)
        return events

    @staticmethod
    def coded(message: Message) -> Message:
        return decode_message(message.wire_name, encode_message(message))


def values(events):
    return [
        {quote.instrument: value for quote, value in zip(event.quotes, event.value, strict=True)}
        for event in events
        if isinstance(event, TargetSet)
    ]


def test_a_set_gives_a_target_when_its_strategy_changes_its_mind_and_not_again():
    driven = Driven(member("sma_cross", EUR, fast=1, slow=2))
    assert values(driven.give(bars(1, EUR=100_000))) == []
    assert values(driven.give(bars(2, EUR=100_100))) == [{EUR.instrument: 1.0}]
    assert values(driven.give(bars(3, EUR=100_200))) == []
    assert values(driven.give(bars(4, EUR=100_000))) == [{EUR.instrument: 0.0}]


def test_a_target_carries_its_version_and_the_quote_that_decided_it():
    driven = Driven(member("sma_cross", EUR, fast=1, slow=2))
    driven.give(bars(1, EUR=100_000))
    target = driven.give(bars(2, EUR=100_100))[-1]
    assert (target.quotes[0].bid_ticks, target.quotes[0].ask_ticks) == (100_100, 100_102)
    assert (target.set_version, target.version.tolist(), target.decided_at_ns) == (1, [1], 2 * HOUR)
    assert driven.give(bars(3, EUR=99_000))[-1].version.tolist() == [2]


def test_strategies_that_share_an_instrument_add_up_by_share():
    driven = Driven(
        member("sma_cross", EUR, fast=1, slow=2, share_e9=250_000_000),
        member("buy_and_hold", EUR, share_e9=500_000_000),
    )
    assert values(driven.give(bars(1, EUR=100_000))) == [{EUR.instrument: 0.5}]
    assert values(driven.give(bars(2, EUR=100_100))) == [{EUR.instrument: 0.75}]


def test_each_of_many_strategies_in_a_set_says_what_it_says_alone():
    fasts = (1, 2, 3, 5)
    alone = [Driven(member("sma_cross", EUR, fast=fast, slow=8)) for fast in fasts]
    driven = Driven(
        *(member("sma_cross", EUR, fast=fast, slow=8, share_e9=250_000_000) for fast in fasts),
        member("sma_cross", GBP, fast=1, slow=2),
    )
    wanted = dict.fromkeys(fasts, 0.0)
    closes = 100_000 + np.cumsum(np.random.default_rng(3).integers(-50, 51, (200, 2)), axis=0)
    told = 0
    for hour, (euro, pound) in enumerate(closes.tolist(), 1):
        said = values(driven.give(bars(hour, EUR=euro, GBP=pound)))
        for fast, each in zip(fasts, alone, strict=True):
            for weights in values(each.give(bars(hour, EUR=euro))):
                wanted[fast] = weights[EUR.instrument]
        if said and EUR.instrument in said[0]:
            told += 1
            assert said[0][EUR.instrument] == sum(wanted.values()) / 4
    assert told > 20


def test_a_slice_waits_for_the_bars_that_are_missing_and_no_longer_than_its_grace():
    driven = Driven(member("momentum_rank", EUR, GBP, lookback=1, every=1, top=1, invest=1.0), grace_ns=5)
    driven.give(bars(1, EUR=100, GBP=100))
    waits = driven.give(bars(2, EUR=110))
    assert values(waits) == []
    assert [event for event in waits if isinstance(event, TimerSet)] == [waits[-1]]
    assert waits[-1].due_ns == 2 * HOUR + 5
    done = driven.give(bars(2, GBP=120))
    assert values(done) == [{EUR.instrument: 0.0, GBP.instrument: 1.0}]
    assert isinstance(done[-1], TimerCancelled)
    driven.give(bars(3, EUR=150))
    late = driven.give(TimerDue(name="slice", due_ns=3 * HOUR + 5))
    assert values(late) == [{EUR.instrument: 1.0, GBP.instrument: 0.0}]


def test_a_bar_that_was_seen_is_not_decided_on_again():
    driven = Driven(member("sma_cross", EUR, fast=1, slow=2))
    driven.give(bars(1, EUR=100_000))
    driven.give(bars(2, EUR=100_100))
    assert values(driven.give(bars(2, EUR=90_000))) == []


def test_a_set_that_cannot_run_is_refused_with_the_reason_and_stays_what_it_was():
    driven = Driven(member("buy_and_hold", EUR))
    refused = driven.give(DefineSet(set="s", members=[member("sma_cross", EUR, fast=0, slow=2)]))
    assert isinstance(refused[0], SetRefused)
    assert "fast" in refused[0].reason
    assert driven.state.version == 1


def test_strategies_that_share_an_instrument_and_give_more_than_weights_are_refused():
    driven = Driven(member("buy_and_hold", EUR))
    refused = driven.give(DefineSet(set="s", members=[member("atr_channel", EUR), member("buy_and_hold", EUR)]))
    assert isinstance(refused[0], SetRefused)


@pytest.mark.parametrize("strategy", ["sma_cross", "rsi_reversion", "atr_channel", "vol_target_trend", "random"])
def test_a_set_goes_on_from_its_snapshot_as_if_it_had_not_stopped(strategy):
    random = np.random.default_rng(3)
    closes = (100_000 + np.cumsum(random.integers(-300, 301, 400))).tolist()
    driven = Driven(member(strategy, EUR))
    for hour, close in enumerate(closes[:200], 1):
        driven.give(bars(hour, EUR=close))
    other = from_snapshot("s", SNAPSHOT_VERSION, to_snapshot(driven.state))
    for hour, close in enumerate(closes[200:], 201):
        expected = driven.give(bars(hour, EUR=close))
        found = decide(
            other, Received(message=bars(hour, EUR=close), id="x", key="s", received_at_ns=0, event_time_ns=0)
        )
        assert [encode_message(each) for each in found] == [encode_message(each) for each in expected]
        for event in found:
            other = evolve(other, event)


def test_a_warmed_up_set_tells_with_its_first_bar_what_it_wants_already():
    driven = Driven(member("sma_cross", EUR, fast=1, slow=2), warms_up=True)
    assert driven.state.how_much_to_warm_up() == {(EUR.instrument, HOUR): 2}
    warmed = driven.give(WarmUp(bars=[bars(1, EUR=100_000), bars(2, EUR=100_100)]))
    assert [type(event) for event in warmed] == [WarmedUp]
    first = driven.give(bars(3, EUR=100_200))
    assert values(first) == [{EUR.instrument: 1.0}]
    assert (first[-1].quotes[0].bid_ticks, first[-1].version.tolist()) == (100_200, [1])
    assert values(driven.give(bars(4, EUR=100_300))) == []


def test_a_set_is_warmed_up_once_and_only_before_its_first_bars():
    driven = Driven(member("sma_cross", EUR, fast=1, slow=2), warms_up=True)
    driven.give(bars(3, EUR=100_000))
    assert driven.give(WarmUp(bars=[bars(1, EUR=100_000), bars(2, EUR=100_100)])) == []
    cold = Driven(member("sma_cross", EUR, fast=1, slow=2))
    assert cold.give(WarmUp(bars=[bars(1, EUR=100_000)])) == []


def test_first_bars_are_decided_on_again_with_the_history_that_came_before_them_and_another_state_strays():
    history = [bars(1, EUR=100_000), bars(2, EUR=100_100)]
    leader, other = (Driven(member("sma_cross", EUR, fast=1, slow=2), warms_up=True) for _ in range(2))
    received = Received(message=bars(3, EUR=100_200), id="x", key="s", received_at_ns=0, event_time_ns=0)
    given = [Driven.coded(each) for each in warmed(leader.state, received, history)]
    assert [type(each) for each in given] == [WarmedUp, BarsApplied, TargetSet]
    again = SIGNALS.decide_again(other.state, received, given)
    assert [encode_message(each) for each in again] == [encode_message(each) for each in given]
    for event in given:
        leader.state, other.state = evolve(leader.state, event), evolve(other.state, event)
    assert not SIGNALS.strays(other.state, given)
    other.state.take(bars(4, EUR=99_000))
    assert SIGNALS.strays(other.state, given)
    assert not SIGNALS.strays(other.state, [SetRun(set="s", is_running=True)])


def test_a_warmed_up_set_says_what_one_says_that_saw_the_bars_live():
    random = np.random.default_rng(7)
    closes = (100_000 + np.cumsum(random.integers(-300, 301, 60))).tolist()
    warmed, live = (Driven(member("rsi_reversion", EUR, window=5), warms_up=each) for each in (True, False))
    warmed.give(WarmUp(bars=[bars(hour, EUR=close) for hour, close in enumerate(closes[:30], 1)]))
    for hour, close in enumerate(closes, 1):
        said = values(live.give(bars(hour, EUR=close)))
        if hour > 31:  # with the first bar it tells what it wants, also where it has wanted that before
            assert values(warmed.give(bars(hour, EUR=close))) == said
        elif hour == 31:
            warmed.give(bars(hour, EUR=close))
    assert warmed.state.digest() == live.state.digest()


def test_what_changed_while_a_set_was_paused_is_told_with_the_next_bar_after_it_starts():
    driven = Driven(member("sma_cross", EUR, fast=1, slow=2))
    driven.give(RunSet(set="s", is_running=False))
    driven.give(bars(1, EUR=100_000))
    assert values(driven.give(bars(2, EUR=100_100))) == []
    driven.give(RunSet(set="s", is_running=True))
    assert values(driven.give(bars(3, EUR=100_200))) == [{EUR.instrument: 1.0}]


def holding(**more):
    """Return a set that wants euros and pounds."""
    driven = Driven(member("sma_cross", EUR, fast=1, slow=2), member("sma_cross", GBP, fast=1, slow=2), **more)
    driven.give(bars(1, EUR=100_000, GBP=130_000))
    assert values(driven.give(bars(2, EUR=100_100, GBP=130_100))) == [{EUR.instrument: 1.0, GBP.instrument: 1.0}]
    return driven


def euros_alone(driven):
    return driven.give(DefineSet(set="s", members=[member("sma_cross", EUR, fast=2, slow=3)], grace_ns=1))


def test_a_set_that_is_replaced_wants_nothing_of_what_it_no_longer_trades():
    driven = holding()
    target = euros_alone(driven)[0]
    assert values([target]) == [{GBP.instrument: 0.0}]
    assert (target.quotes[0].bid_ticks, target.decided_at_ns, target.version.tolist()) == (130_100, 2 * HOUR, [2])
    assert values(euros_alone(driven)) == []
    driven.give(DefineSet(set="s", members=[member("sma_cross", GBP, fast=1, slow=2)], grace_ns=1))
    driven.give(bars(3, GBP=130_000))
    again = driven.give(bars(4, GBP=130_100))[-1]
    assert (values([again]), again.version.tolist()) == ([{GBP.instrument: 1.0}], [3])


def test_a_set_that_is_replaced_says_nothing_of_what_it_wants_nothing_of_or_while_it_is_paused():
    driven = holding()
    driven.give(bars(3, GBP=130_000))
    assert values(euros_alone(driven)) == []
    driven = holding()
    driven.give(RunSet(set="s", is_running=False))
    assert values(euros_alone(driven)) == []


def test_what_a_set_has_held_that_was_replaced_while_it_was_paused_is_given_up_when_it_starts():
    driven = holding()
    driven.give(RunSet(set="s", is_running=False))
    euros_alone(driven)
    run, target = driven.give(RunSet(set="s", is_running=True))
    assert (run.given_up, values([target])) == ([GBP.instrument], [{GBP.instrument: 0.0}])
    assert (target.quotes[0].bid_ticks, target.version.tolist(), target.decided_at_ns) == (0, [2], 7)
    driven.give(DefineSet(set="s", members=[member("sma_cross", GBP, fast=1, slow=2)], grace_ns=1))
    driven.give(bars(3, GBP=130_000))
    again = driven.give(bars(4, GBP=130_100))[-1]
    assert (values([again]), again.version.tolist()) == ([{GBP.instrument: 1.0}], [3])


def test_what_a_set_that_cannot_run_has_held_is_given_up_when_it_is_defined_without_it():
    driven = holding()
    written = to_snapshot(driven.state).replace(get_strategy("sma_cross").code_hash.encode(), b"0123456789abcdef")
    driven.state, driven.follower = (from_snapshot("s", SNAPSHOT_VERSION, written) for _ in range(2))
    assert values(euros_alone(driven)) == [{GBP.instrument: 0.0}]


def test_a_target_with_a_bracket_is_not_told_after_its_time():
    driven = Driven(member("atr_channel", EUR, window=2, width=0.5), warms_up=True)
    history = [bars(hour, EUR=close) for hour, close in enumerate((100_000, 100_010, 100_020, 101_000), 1)]
    driven.give(WarmUp(bars=history))
    assert driven.state.untold
    assert values(driven.give(bars(5, EUR=101_010))) == []
    assert not driven.state.untold


def test_the_closes_of_pairs_that_a_set_converts_by_travel_with_its_targets():
    driven = Driven(member("sma_cross", EUR, fast=1, slow=2), conversions=[GBP])
    assert driven.state.how_much_to_warm_up()[GBP.instrument, HOUR] == 1
    driven.give(bars(1, EUR=100_000, GBP=130_000))
    driven.give(bars(1, GBP=130_500))
    (told,) = [each for each in driven.give(bars(2, EUR=100_100, GBP=131_000)) if isinstance(each, TargetSet)]
    assert [(each.instrument, each.bid_ticks, each.ask_ticks) for each in told.marks] == [
        (GBP.instrument, 131_000, 131_002)
    ]
    again = from_snapshot("s", SNAPSHOT_VERSION, to_snapshot(driven.state))
    assert (again.rates, again.conversions) == (driven.state.rates, [GBP])


def test_a_snapshot_of_before_conversions_is_read():
    driven = Driven(member("sma_cross", EUR, fast=1, slow=2))
    kept = json.loads(to_snapshot(driven.state))
    del kept["conversions"], kept["rates"]
    again = from_snapshot("s", 2, json.dumps(kept).encode())
    assert to_snapshot(again) == to_snapshot(driven.state)


def test_a_set_whose_strategy_is_another_now_takes_no_bars_until_it_is_defined_again():
    driven = Driven(member("buy_and_hold", EUR))
    written = to_snapshot(driven.state).replace(get_strategy("buy_and_hold").code_hash.encode(), b"0123456789abcdef")
    driven.state, driven.follower = (from_snapshot("s", SNAPSHOT_VERSION, written) for _ in range(2))
    with pytest.raises(StrategyError, match="define it again"):
        driven.give(bars(1, EUR=100_000))
    driven.give(DefineSet(set="s", members=[member("buy_and_hold", EUR)]))
    assert values(driven.give(bars(1, EUR=100_000))) == [{EUR.instrument: 1.0}]
