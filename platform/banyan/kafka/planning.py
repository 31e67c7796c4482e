"""What stands between the topics that are planned and those of the cluster, and how it is brought about."""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from banyan.kafka.topics import Topic

_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_ANY: Any = None


@dataclass(frozen=True, slots=True)
class Rule:
    """That a principal may do something with a topic, or with the groups whose names begin so."""

    principal: str
    operation: str
    resource: str
    is_group: bool = False

    def __str__(self) -> str:
        kind = f"groups {self.resource}*" if self.is_group else self.resource
        return f"{self.principal} may {self.operation.lower()} {kind}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be done: "create", "configure", "allow" or "forbid"; or a "problem" that only a person can solve."""

    action: str
    subject: str
    detail: str
    topic: Topic | None = None
    rule: Rule | None = None


def rules_of(topics: Iterable[Topic], principals: dict[str, str], environment: str) -> list[Rule]:
    """Return who may do what: each context's principal writes and reads what is its own, and shows its lag."""
    rules = []
    for topic in topics:
        for contexts, operations in ((topic.writers, ("WRITE", "DESCRIBE")), (topic.readers, ("READ", "DESCRIBE"))):
            rules += [Rule(principals[each], operation, topic.name) for each in contexts for operation in operations]
    rules += [
        Rule(principal, "READ", f"{environment}.{context}.", is_group=True) for context, principal in principals.items()
    ]
    return list(dict.fromkeys(rules))


def differences(
    admin: AdminClient, planned: Sequence[Topic], rules: Sequence[Rule], copies: int, environment: str
) -> list[Difference]:
    """Return what the cluster lacks of the plan, and what it has on our topics beyond it. Raises KafkaException."""
    existing = admin.list_topics(timeout=_SECONDS).topics
    found: list[Difference] = []
    present = [topic for topic in planned if topic.name in existing]
    for topic in planned:
        if topic.name not in existing:
            detail = f"{topic.partitions} partitions, {_told(topic.configuration(copies))}"
            found.append(Difference("create", topic.name, detail, topic))
    for topic in present:
        partitions = len(existing[topic.name].partitions)
        if partitions != topic.partitions:
            why = "a key would be looked for in another one: give it a new version" if topic.is_keyed else "recreate it"
            detail = f"it has {partitions} partitions and {topic.partitions} are planned; {why}"
            found.append(Difference("problem", topic.name, detail, topic))
    found += _configurations(admin, present, copies)
    return found + _rules(admin, rules, environment)


def apply(
    admin: AdminClient, planned: Sequence[Topic], rules: Sequence[Rule], copies: int, environment: str
) -> list[Difference]:
    """Bring the plan about, and wait until every broker asked says so; return what there was to do, problems included.

    Raises KafkaException, and TimeoutError where the cluster does not come to it.
    """
    found = differences(admin, planned, rules, copies, environment)
    _bring_about(admin, found, copies)
    end = time.monotonic() + _SECONDS
    while any(each.action != "problem" for each in differences(admin, planned, rules, copies, environment)):
        if time.monotonic() > end:
            raise TimeoutError(f"the cluster is not as planned {_SECONDS:.0f} s after it has agreed: try again")
        time.sleep(_PAUSE_SECONDS)
    return found


def _bring_about(admin: AdminClient, wanted: Sequence[Difference], copies: int) -> None:
    made = [
        NewTopic(each.topic.name, each.topic.partitions, copies, config=each.topic.configuration(copies))
        for each in wanted
        if each.action == "create" and each.topic is not None
    ]
    if made:
        _wait(admin.create_topics(made).values(), KafkaError.TOPIC_ALREADY_EXISTS)
    changed = [each.topic for each in wanted if each.action == "configure" and each.topic is not None]
    if changed:
        _wait(admin.incremental_alter_configs([_altered(topic, copies) for topic in changed]).values())
    allowed = [_binding(each.rule) for each in wanted if each.action == "allow" and each.rule is not None]
    if allowed:
        _wait(admin.create_acls(allowed).values())
    forbidden = [_filter(each.rule) for each in wanted if each.action == "forbid" and each.rule is not None]
    if forbidden:
        _wait(admin.delete_acls(forbidden).values())


def _configurations(admin: AdminClient, topics: Sequence[Topic], copies: int) -> list[Difference]:
    if not topics:
        return []
    asked = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic.name) for topic in topics])
    held = {resource.name: future.result(_SECONDS) for resource, future in asked.items()}
    found = []
    for topic in topics:
        wrong = {
            name: f"{name} {held[topic.name][name].value} → {value}"
            for name, value in topic.configuration(copies).items()
            if held[topic.name][name].value != value
        }
        if wrong:
            found.append(Difference("configure", topic.name, ", ".join(wrong.values()), topic))
    return found


def _rules(admin: AdminClient, rules: Sequence[Rule], environment: str) -> list[Difference]:
    everything = AclBindingFilter(
        ResourceType.ANY, _ANY, ResourcePatternType.ANY, _ANY, _ANY, AclOperation.ANY, AclPermissionType.ALLOW
    )
    try:
        held = {_rule(each) for each in admin.describe_acls(everything).result(_SECONDS)}
    except KafkaException as problem:
        if problem.args[0].code() == KafkaError.SECURITY_DISABLED:
            return []
        raise
    ours = {each for each in held if each.resource.startswith(f"{environment}.")}
    missing = [Difference("allow", each.resource, str(each), rule=each) for each in rules if each not in held]
    beyond = sorted(ours - set(rules), key=str)
    return missing + [Difference("forbid", each.resource, str(each), rule=each) for each in beyond]


def _rule(binding: Any) -> Rule:
    return Rule(binding.principal, binding.operation.name, binding.name, binding.restype == ResourceType.GROUP)


def _binding(rule: Rule) -> AclBinding:
    kind, pattern = (
        (ResourceType.GROUP, ResourcePatternType.PREFIXED)
        if rule.is_group
        else (ResourceType.TOPIC, ResourcePatternType.LITERAL)
    )
    operation = AclOperation[rule.operation]
    return AclBinding(kind, rule.resource, pattern, rule.principal, "*", operation, AclPermissionType.ALLOW)


def _filter(rule: Rule) -> AclBindingFilter:
    kind = ResourceType.GROUP if rule.is_group else ResourceType.TOPIC
    operation = AclOperation[rule.operation]
    return AclBindingFilter(
        kind, rule.resource, ResourcePatternType.ANY, rule.principal, _ANY, operation, AclPermissionType.ALLOW
    )


def _altered(topic: Topic, copies: int) -> ConfigResource:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in topic.configuration(copies).items()
    ]
    return ConfigResource(ConfigResource.Type.TOPIC, topic.name, incremental_configs=entries)


def _wait(futures: Iterable["Future[Any]"], *harmless: int) -> None:
    for future in futures:
        try:
            future.result(_SECONDS)
        except KafkaException as problem:
            if problem.args[0].code() not in harmless:
                raise


def _told(configuration: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in configuration.items())
