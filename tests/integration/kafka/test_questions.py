"""Questions through Kafka: asked until somebody answers, and no longer than until the deadline."""

import threading

import psycopg
import pytest
from confluent_kafka.admin import NewTopic

from banyan.transport.kafka import Answers, Asker
from banyan.transport.questions import NoAnswerError
from tests.integration.host import tally
from tests.patience import PATIENCE_SECONDS, wait_for_thread

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk"])


@pytest.fixture
def topics(bench):
    names = [bench.topics.questions("risk"), bench.topics.answers("risk")]
    for made in bench.admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
        made.result(PATIENCE_SECONDS)
    bench.made += names
    return bench.topics


def test_a_question_is_asked_again_until_there_is_somebody_who_can_answer(bench, topics):
    asked, was_away = [], threading.Event()

    def answer(question):
        asked.append(question.number)
        if not was_away.is_set():
            was_away.set()
            raise psycopg.OperationalError("its database is away")
        return tally.Added(number=question.number, total=question.number * 2)

    stop = threading.Event()
    answers = Answers("risk", bench.cluster, topics, answer, [tally.Add])
    thread = threading.Thread(target=answers.run, args=(stop,), daemon=True)
    thread.start()
    ask = Asker("execution", "risk", bench.cluster, topics, seconds=PATIENCE_SECONDS)
    found = ask(tally.Add(number=21))
    assert (found.wire_name, found.total) == ("tally.added.v1", 42)
    assert ask(tally.Add(number=4)).total == 8
    stop.set()
    wait_for_thread(thread)
    assert asked[:2] == [21, 21]
    assert set(asked) == {21, 4}


def test_what_nobody_answers_in_time_is_said(bench, topics):
    with pytest.raises(NoAnswerError, match="risk has not answered tally.add.v1 within"):
        Asker("execution", "risk", bench.cluster, topics, seconds=0.5)(tally.Add(number=1))
