"""Risk as a service once more, by its rules in plain Python: python plain_risk_service.py BROKERS ENVIRONMENT KEY,…

It follows the log of risk from its beginning, as docs/wire.md says, and tells what it would have decided. Of Banyan it
uses the messages' types, nothing else: no host, no kernel, no database.
"""

import base64
import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

import apps.execution.contracts as execution
import apps.risk.contracts as risk
from banyan.codec import decode_message
from tests.oracles.risk import PlainRisk


class Shard:
    """A shard: its number in the log, and the rules' own state."""

    def __init__(self, number):
        self.number = number
        self.rules = PlainRisk()

    def decide(self, message, record):
        """Return [name, message] of each verdict on orders; of what else is asked there is nothing to say here."""
        rules = self.rules
        match message:
            case execution.OrdersRequested():
                return verdicts(
                    message, rules.check(message, record["received_at_ns"], record["envelope"]["event_time_ns"])
                )
            case execution.AccountOpened():
                rules.open(message)
            case execution.PositionChanged():
                for row in rows(message, "account", "instrument", "steps", "short_steps"):
                    rules.hold(row["account"], message.instruments[row["instrument"]], row["steps"], row["short_steps"])
            case execution.OrdersEnded():
                for row in rows(message, "account", "instrument", "decision"):
                    rules.cut(row["account"], message.instruments[row["instrument"]], row["decision"], 0)
            case execution.OrdersFilled():
                for row in rows(message, "account", "instrument", "decision", "left_steps"):
                    rules.cut(
                        row["account"], message.instruments[row["instrument"]], row["decision"], row["left_steps"]
                    )  # fmt: skip
            case risk.SetLimits():
                rules.set_limits(message.limits, message.account, message.instrument)
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
    record["envelope"].setdefault("event_time_ns", 0)
    events = shard.decide(decode_message(name, json.dumps(record["message"]).encode()), record)
    for _, body in events:
        if "at_ns" in body:
            body["at_ns"] = record["envelope"]["event_time_ns"]
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
