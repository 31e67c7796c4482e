"""Risk as a service once more, by its rules in plain Python: python plain_risk_service.py BROKERS ENVIRONMENT KEY,…

It follows the log of risk from its beginning, as docs/wire.md and the schemas beside it say, and tells what it would
have decided. Nothing of Banyan is imported.
"""

import base64
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from tests.oracles.risk import PlainRisk

SCHEMAS = Path(__file__).resolve().parents[3] / "docs" / "schemas"


@cache
def schema_of(name):
    return json.loads((SCHEMAS / f"{name}.json").read_text())


class Body:
    """A message by its schema: columns are arrays, and what was left out has its default."""

    def __init__(self, schema, body):
        for name, of in schema["properties"].items():
            setattr(self, name, value_of(of, body.get(name, of.get("default", []))))


def value_of(schema, value):
    if schema.get("type") == "object":
        return Body(schema, value)
    if schema.get("type") == "array" and "anyOf" in schema["items"]:
        return np.array([int(each) for each in value], np.int64)
    return [value_of(schema["items"], each) for each in value] if schema.get("type") == "array" else value


class Shard:
    """A shard: its number in the log, and the rules' own state."""

    def __init__(self, number):
        self.number = number
        self.rules = PlainRisk()

    def decide(self, name, message, record):
        """Return [name, message] of each verdict on orders; of what else is asked there is nothing to say here."""
        rules = self.rules
        match name:
            case "execution.orders-requested.v1":
                times = record["received_at_ns"], record["envelope"].get("event_time_ns", 0)
                return verdicts(message, rules.check(message, *times))
            case "execution.account-opened.v1":
                rules.open(message)
            case "execution.position-changed.v1":
                for row in rows(message, "account", "instrument", "steps", "short_steps"):
                    rules.hold(row["account"], message.instruments[row["instrument"]], row["steps"], row["short_steps"])
            case "execution.orders-ended.v1":
                for row in rows(message, "account", "instrument", "decision"):
                    rules.cut(row["account"], message.instruments[row["instrument"]], row["decision"], 0)
            case "execution.orders-filled.v1":
                for row in rows(message, "account", "instrument", "decision", "left_steps"):
                    rules.cut(
                        row["account"], message.instruments[row["instrument"]], row["decision"], row["left_steps"]
                    )  # fmt: skip
            case "risk.set-limits.v1":
                rules.set_limits(vars(message.limits), message.account, message.instrument)
        return []


def rows(message, *names):
    count = message.account.size
    columns = {name: getattr(message, name) for name in names}
    filled = {name: values.tolist() if values.size else [0] * count for name, values in columns.items()}
    return [{name: values[at] for name, values in filled.items()} for at in range(count)]


def verdicts(wanted, found):
    names = [terms.id for terms in wanted.terms]
    asked = rows(wanted, "steps", "step_value_micro")
    approved = [at for at, row in enumerate(found) if row[3] == 0]
    refused = [at for at, row in enumerate(found) if row[3] != 0]
    events = []
    if approved:
        events.append(["risk.orders-approved.v1", {
            "instruments": names, "account": [found[at][0] for at in approved],
            "instrument": [names.index(found[at][1]) for at in approved],
            "decision": [found[at][2] for at in approved], "steps": [asked[at]["steps"] for at in approved],
            "step_values_micro": [asked[at]["step_value_micro"] for at in approved],
            "step_value": list(range(len(approved))), "at_ns": None,
        }])  # fmt: skip
    if refused:
        fields = dict(zip(("account", "instrument", "decision", "reason", "level", "bound", "actual"),
                          zip(*(found[at] for at in refused), strict=True), strict=True))  # fmt: skip
        fields["instrument"] = [names.index(each) for each in fields["instrument"]]
        events.append(["risk.orders-refused.v1", {"instruments": names, **{n: list(v) for n, v in fields.items()}}])
    return events


def follow(shards, envelope, value):
    """Take in a message of a log; return what to tell of it, None where there is nothing to tell."""
    key, number = envelope["key"], envelope.get("number", 0)
    if envelope["name"] == "banyan.seeded.v1":
        if key not in shards:
            assert number == 0, "this service can only begin at the beginning"
            base64.b64decode(json.loads(value)["state"])
            shards[key] = Shard(0)
        return None
    shard = shards.get(key)
    if shard is None or number != shard.number + 1:
        return None
    shard.number = number
    record = json.loads(value)
    name, cause = record["envelope"]["name"], record["envelope"]["id"]
    told = {
        "same": False, "cause": cause, "input": name, "received_at_ns": record["received_at_ns"],
        "committed_at_ns": record["committed_at_ns"], "followed_at_ns": record["committed_at_ns"], "decided_ns": 0,
    }  # fmt: skip
    events = shard.decide(name, Body(schema_of(name), record["message"]), record)
    for _, body in events:
        if "at_ns" in body:
            body["at_ns"] = record["envelope"].get("event_time_ns", 0)
    return told | {"events": events}


def main(brokers, environment, keys):
    log, compared, resend = (f"{environment}.risk.{name}.v1" for name in ("log.shards", "evt.compared", "cmd.resend"))
    producer = Producer({"bootstrap.servers": brokers})
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "plain", "enable.auto.commit": False})
    partitions = consumer.list_topics(log, 10).topics[log].partitions
    consumer.assign([TopicPartition(log, each, OFFSET_BEGINNING) for each in partitions])
    for key in keys:
        asked = {"receiver": "risk", "receiver_key": key, "sender_key": key, "after": 0}
        producer.produce(resend, json.dumps(asked).encode())
    producer.flush(10)
    shards = {}
    while True:
        record = consumer.poll(0.5)
        producer.poll(0)
        if record is None or record.error() is not None:
            continue
        envelope = json.loads(dict(record.headers())["envelope"])
        told = follow(shards, envelope, record.value())
        if told is not None:
            header = {**envelope, "name": "banyan.compared.v1"}
            producer.produce(
                compared, json.dumps(told).encode(), envelope["key"], headers=[("envelope", json.dumps(header))]
            )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3].split(","))
