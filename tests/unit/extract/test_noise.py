"""Deciding a log again: what is nobody's decision is passed over."""

import dataclasses

from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.messages import HandOver, Message
from banyan.store import Step
from extract.noise import _again
from tests.integration.host import tally


def step(message: Message, events: bytes = b"[]") -> Step:
    envelope = Envelope(name=message.wire_name, id="x", key="a")
    return Step("a", 1, 7, encode_envelope(envelope), encode_message(message), events, 1)


def test_a_record_about_who_leads_is_no_decision_and_others_are_decided_again_with_what_they_gave():
    heard = []

    def again(state, received, given):
        heard.append([each.wire_name for each in given])
        return tally.decide(state, received)

    context = dataclasses.replace(tally.context("risk"), again=again)
    state = context.new_state("a")
    assert _again(context, state, step(HandOver(to="service", until_ns=1)), []) == (True, state)
    assert heard == []
    added = b'[["tally.added.v1",{"number":3,"total":3}]]'
    is_same, after = _again(context, state, step(tally.Add(number=3), added), [])
    assert (is_same, after["total"], heard) == (True, 3, [["tally.added.v1"]])
