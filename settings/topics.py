"""Which topics there are: what carries each stream between contexts, how long it is kept, who may write and read it."""

from django.conf import settings

from banyan.kafka.topics import Topic, Topics, topic_name
from settings.shards import SHARDS

_WEEK_HOURS = 7 * 24
"""How long Kafka keeps what outboxes keep longer: for a service that was away for a holiday."""
_RESEND_HOURS = 1

TOPICS = Topics(
    settings.KAFKA.environment,
    SHARDS,
    shared={("execution", "risk"): "orders", ("risk", "execution"): "verdicts"},
    keyed=frozenset({("execution", "risk"), ("risk", "execution"), ("signals", "execution")}),
)


def planned() -> tuple[list[Topic], dict[str, str]]:
    """Return every topic of the system as it is now defined, and the principal of each context."""
    from apps.feeds.models import Feed
    from apps.signals.models import StrategySet

    feeds = Feed.objects.order_by("id").values_list("id", flat=True)
    sets = StrategySet.objects.order_by("id").values_list("id", flat=True)
    topics = [
        _stream("execution", "risk", "orders"),
        _stream("risk", "execution", "verdicts"),
        *(_stream("feeds", "signals", feed) for feed in feeds),
        *(_stream("signals", "execution", name) for name in sets),
        *(
            Topic(TOPICS.resend(sender), 1, _RESEND_HOURS, writers=(receiver,), readers=(sender,))
            for sender, receiver in (("execution", "risk"), ("risk", "execution"))
        ),
    ]
    contexts = {context for topic in topics for context in (*topic.writers, *topic.readers)}
    return topics, {context: principal_of(context) for context in sorted(contexts)}


def principal_of(context: str) -> str:
    """Return whom Kafka knows a context as: a service by its own name, the others as the app that they are parts of."""
    return f"User:banyan-{context if context in settings.EXTRACTED else 'app'}"


def _stream(sender: str, receiver: str, name: str) -> Topic:
    is_keyed = (sender, receiver) in TOPICS.keyed
    return Topic(
        topic_name(TOPICS.environment, sender, "evt", name),
        len(SHARDS) if is_keyed else 1,
        _WEEK_HOURS,
        writers=(sender,),
        readers=(receiver,),
        is_keyed=is_keyed,
    )
