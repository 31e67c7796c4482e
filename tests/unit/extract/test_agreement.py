from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.facade import Side
from banyan.messages import HandOver, Message, TimerDue, TookOver
from banyan.store import Step
from extract.agreement import disagreements


def step(number: int, epoch: int, message: Message | None = None, received_at_ns: int = 5) -> Step:
    made = message or TimerDue(name="x", due_ns=number)
    header = encode_envelope(Envelope(name=made.wire_name, id=f"{number}", key="00"))
    return Step("00", number, received_at_ns, header, encode_message(made), b"[]", epoch)


WISH = HandOver(to="service", until_ns=10)
GOOD = [step(1, 1), step(2, 1, WISH), step(3, 4, TookOver(side="service")), step(4, 4)]


def found(app, service=()):
    return list(disagreements({Side.APP: app, Side.SERVICE: service}))


def test_one_log_on_both_sides_agrees_also_where_one_begins_later():
    assert found(GOOD, GOOD) == found(GOOD, GOOD[2:]) == found(GOOD[:2], GOOD) == []


def test_a_record_that_both_sides_have_answered_is_found():
    assert found(GOOD, [*GOOD[:3], step(4, 4, TimerDue(name="other", due_ns=1))]) == [
        "record 4 of the service is not that of the app"
    ]


def test_an_answer_after_the_end_of_an_epoch_is_found():
    assert found([*GOOD[:2], step(3, 1)]) == ["record 3 of the app was answered after its epoch had ended"]
    assert found([*GOOD[:2], step(3, 1, TookOver(side="app"))])
    assert found([*GOOD[:2], step(3, 2), step(4, 2, TookOver(side="app"))]) == []
    assert found([*GOOD, step(5, 4, WISH), step(6, 4)]) == [], "it led already"
    assert found([step(1, 1), step(2, 1, WISH, received_at_ns=11), step(3, 1)]) == []


def test_an_epoch_that_comes_after_a_later_one_is_found():
    assert found([step(1, 3), step(2, 2)]) == ["epoch 2 of record 2 of the app comes after epoch 3"]
