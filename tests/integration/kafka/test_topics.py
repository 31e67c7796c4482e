import os
import uuid

import pytest
from confluent_kafka.admin import AdminClient

from apps.feeds.models import Feed
from apps.signals.models import StrategySet
from banyan.commands import UsageError
from banyan.facade import Routing, Stage
from banyan.facade.routing import change
from banyan.kafka.planning import apply, differences, rules_of
from banyan.kafka.topics import Topic, TopicError, Topics, topic_name
from banyan.models import Key
from settings.topics import TOPICS, planned
from tests.patience import PATIENCE_SECONDS

SHARDS = ("00", "01", "canary")
PRINCIPALS = {"execution": "User:banyan-app", "risk": "User:banyan-risk"}


@pytest.fixture
def environment(kafka):
    made = f"t{os.getpid()}-{uuid.uuid4().hex[:6]}"
    yield made
    admin = AdminClient(kafka.options())
    ours = [topic for topic in admin.list_topics(timeout=PATIENCE_SECONDS).topics if topic.startswith(f"{made}.")]
    if ours:
        for deleted in admin.delete_topics(ours).values():
            deleted.result(PATIENCE_SECONDS)


def plan(environment: str, partitions: int = 3, hours: int = 168) -> list[Topic]:
    orders, verdicts = (
        topic_name(environment, *each) for each in (("execution", "evt", "orders"), ("risk", "evt", "verdicts"))
    )
    return [
        Topic(orders, partitions, hours, ("execution",), ("risk",), is_keyed=True),
        Topic(verdicts, partitions, hours, ("risk",), ("execution",), is_keyed=True),
    ]


def told(found):
    return [(each.action, each.subject) for each in found]


def test_a_plan_is_applied_once_and_then_stands(kafka, environment):
    admin, topics = AdminClient(kafka.options()), plan(environment)
    rules = rules_of(topics, PRINCIPALS, environment)
    found = differences(admin, topics, rules, 1, environment)
    assert told(found)[:2] == [("create", topics[0].name), ("create", topics[1].name)]
    assert {each.action for each in found} == {"create", "allow"}
    assert apply(admin, topics, rules, 1, environment) == found
    assert differences(admin, topics, rules, 1, environment) == []


def test_only_risks_principal_may_write_verdicts_whoever_was_allowed_before(kafka, environment):
    admin, topics = AdminClient(kafka.options()), plan(environment)
    before = rules_of(topics, dict.fromkeys(PRINCIPALS, "User:banyan-app"), environment)
    apply(admin, topics, before, 1, environment)
    rules = rules_of(topics, PRINCIPALS, environment)
    writers = {rule.principal for rule in rules if rule.resource == topics[1].name and rule.operation == "WRITE"}
    assert writers == {"User:banyan-risk"}
    found = differences(admin, topics, rules, 1, environment)
    forbidden = [each.detail for each in found if each.action == "forbid"]
    assert f"User:banyan-app may write {topics[1].name}" in forbidden
    assert apply(admin, topics, rules, 1, environment) == found
    assert differences(admin, topics, rules, 1, environment) == []


def test_retention_is_brought_to_what_is_planned(kafka, environment):
    admin = AdminClient(kafka.options())
    apply(admin, plan(environment), [], 1, environment)
    found = differences(admin, plan(environment, hours=24), [], 1, environment)
    assert [each.detail for each in found] == ["retention.ms 604800000 → 86400000"] * 2
    apply(admin, plan(environment, hours=24), [], 1, environment)
    assert differences(admin, plan(environment, hours=24), [], 1, environment) == []


def test_the_partitions_of_a_keyed_topic_are_never_changed(kafka, environment):
    admin = AdminClient(kafka.options())
    apply(admin, plan(environment), [], 1, environment)
    found = differences(admin, plan(environment, partitions=4), [], 1, environment)
    assert [each.action for each in found] == ["problem", "problem"]
    assert "it has 3 partitions and 4 are planned" in found[0].detail
    assert apply(admin, plan(environment, partitions=4), [], 1, environment) == found
    assert len(admin.list_topics(timeout=PATIENCE_SECONDS).topics[plan(environment)[0].name].partitions) == 3


def test_a_name_that_kafka_would_not_take_is_refused():
    assert topic_name("dev", "signals", "evt", "trend.eu_1") == "dev.signals.evt.trend.eu_1.v1"
    for name in ("tränd", "a b", "", "x" * 300):
        with pytest.raises(TopicError, match="cannot be a topic"):
            topic_name("dev", "signals", "evt", name)


def test_a_key_reads_its_partition_of_every_topic_of_its_senders():
    topics = Topics(
        "dev", SHARDS, {("risk", "execution"): "verdicts"}, frozenset({("risk", "execution"), ("signals", "execution")})
    )
    existing = [
        "dev.risk.evt.verdicts.v1", "dev.signals.evt.trend.v1", "dev.signals.evt.carry.v1", "dev.signals.cmd.resend.v1",
        "prod.signals.evt.trend.v1", "dev.feeds.evt.oanda.v1", "dev.feeds.evt.compared.v1", "dev.feeds.log.oanda.v1",
        "dev.feeds.log.nasdaq.v1",
    ]  # fmt: skip
    assert topics.read_by("execution", "risk", "01", existing) == [("dev.risk.evt.verdicts.v1", 1)]
    assert topics.read_by("execution", "signals", "canary", existing) == [
        ("dev.signals.evt.trend.v1", 2), ("dev.signals.evt.carry.v1", 2),
    ]  # fmt: skip
    assert topics.read_by("signals", "feeds", "trend", existing) == [("dev.feeds.evt.oanda.v1", 0)]
    assert topics.read_by("feeds", "feeds", "oanda", existing) == [("dev.feeds.log.oanda.v1", 0)]
    assert topics.read_by("feeds", "feeds", "tokyo", existing) == []
    assert topics.read_by("execution", "risk", "01", existing[1:]) == []


@pytest.mark.django_db(databases=["facade", "feeds", "signals"])
def test_risk_in_the_app_may_write_verdicts_only_while_execution_has_a_service():
    def writers(*coming: str) -> set[str]:
        topics, _ = planned(coming)
        return set(next(each.writers for each in topics if each.name == TOPICS.name("risk", "execution", "")))

    assert writers() == writers("risk") == {"risk.service"}
    assert writers("execution") == {"risk", "risk.service"}
    change("execution", Routing(), Stage.SHADOW, who="anna", why="first day", evidence=[])
    assert writers() == {"risk", "risk.service"}
    with pytest.raises(UsageError, match="reporting can have no service"):
        planned(["reporting"])


@pytest.mark.django_db(databases=["facade", "feeds", "signals"])
def test_a_feed_has_a_topic_for_its_bars_and_one_for_its_log_which_both_sides_may_write():
    Feed.objects.using("feeds").create(id="oanda", definition={})
    Key.objects.using("feeds").create(key="nasdaq", epoch=1, number=3)
    topics = {each.name.removeprefix(f"{TOPICS.environment}."): each for each in planned(["feeds"])[0]}
    for name in ("feeds.evt.oanda.v1", "feeds.evt.nasdaq.v1", "feeds.log.oanda.v1", "feeds.log.nasdaq.v1"):
        assert topics[name].writers == ("feeds", "feeds.service")
        assert (topics[name].partitions, topics[name].is_keyed) == (1, False)
    assert topics["feeds.evt.oanda.v1"].readers == ("signals", "signals.service")
    assert topics["feeds.log.oanda.v1"].readers == ("feeds", "feeds.service")
    assert topics["feeds.cmd.requests.v1"].partitions == 1
    assert set(topics["feeds.cmd.resend.v1"].writers) == {"signals", "signals.service", "feeds", "feeds.service"}
    # What is replayed into a feed that nobody has defined changes no plan while feeds, and sets, are in the app.
    assert not any("nasdaq" in each.name for each in planned(["risk"])[0])
    assert topics["feeds.evt.nasdaq.v1"] in planned(["signals"])[0]


@pytest.mark.django_db(databases=["facade", "feeds", "signals"])
def test_a_set_has_a_topic_for_its_targets_and_one_for_its_log_and_its_service_may_ask_feeds():
    StrategySet.objects.using("signals").create(id="trend", definition={})
    topics = {each.name.removeprefix(f"{TOPICS.environment}."): each for each in planned(["signals"])[0]}
    for name in ("signals.evt.trend.v1", "signals.log.trend.v1"):
        assert topics[name].writers == ("signals", "signals.service")
    assert (topics["signals.evt.trend.v1"].is_keyed, topics["signals.log.trend.v1"].partitions) == (True, 1)
    assert topics["feeds.cmd.questions.v1"].writers == topics["feeds.cmd.answers.v1"].readers == ("signals.service",)
    assert topics["feeds.cmd.questions.v1"].readers == topics["feeds.cmd.answers.v1"].writers == ("feeds",)
