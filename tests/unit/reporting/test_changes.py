"""Which orders changed, and when a skipped signal was said, follow from the records alone."""

import numpy as np
import pytest

from apps.reporting.folding import fold
from apps.reporting.news import News
from apps.signals.contracts import TargetSet
from banyan.codec import decode_envelope
from tests.integration.reporting.recorded import SHARD, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random


@pytest.fixture(scope="module")
def steps():
    desk = RecordedDesk()
    trade_at_random(desk, 5, rounds=12)
    return desk.execution.kept[SHARD]


def told(changes):
    """Return (record, {(account, instrument, decision)}) of changes, in their order, as they are written."""
    return [
        (each.place.number, each.instruments, each.account.tolist(), each.instrument.tolist(), each.decision.tolist())
        for each in changes
    ]


def folded(steps, size):
    found = []
    for first in range(0, len(steps), size):
        news = News()
        for step in steps[first : first + size]:
            fold(news, "execution", step)
        found.append(news)
    return found


@pytest.mark.parametrize("size", [1, 7])
def test_the_same_orders_have_changed_however_a_log_is_cut(steps, size):
    (whole,) = folded(steps, len(steps))
    pieces = [each for news in folded(steps, size) for each in news.changes]
    assert told(whole.changes) == told(pieces)
    assert any(len(each.instruments) > 1 for each in pieces)


def test_every_order_of_which_something_is_said_has_changed_and_no_other(steps):
    for news in folded(steps, 1):
        said = {
            (account, news.names.texts[instrument], decision)
            for each in news.orders
            for account, instrument, decision in zip(
                each.account.tolist(), each.instrument.tolist(), each.decision.tolist(), strict=True
            )
        }
        changed = [
            (account, each.instruments[at], decision)
            for each in news.changes
            for account, at, decision in zip(
                each.account.tolist(), each.instrument.tolist(), each.decision.tolist(), strict=True
            )
        ]
        assert set(changed) == said
        assert changed == sorted(changed, key=lambda each: (each[0], each[1], each[2]))
        assert len(changed) == len(said)


def test_a_skip_knows_when_its_signal_was_said_as_its_orders_do(steps):
    seen = 0
    for step, news in zip(steps, folded(steps, 1), strict=True):
        envelope = decode_envelope(step.header)
        sent_at_ns = envelope.sent_at_ns if envelope.name == TargetSet.wire_name else None
        assert {each.signalled_at_ns for each in news.skips} <= {sent_at_ns}
        times = [each.columns["signalled_at_ns"] for each in news.orders if "signalled_at_ns" in each.columns]
        assert all(np.all(each == sent_at_ns) for each in times)
        seen += len(news.skips) > 0 and len(times) > 0
    assert seen > 0
