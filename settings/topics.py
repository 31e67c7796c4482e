"""Which topics there are: what carries each stream between contexts, how long it is kept, who may write and read it."""

from collections.abc import Sequence

from django.conf import settings

from banyan.kafka.topics import Topic, Topics, topic_name
from settings.routing import EXTRACTABLE
from settings.shards import SHARDS

_WEEK_HOURS = 7 * 24
"""How long Kafka keeps what outboxes keep longer: for a service that was away for a holiday."""
_RESEND_HOURS = 1
_COMPARED_HOURS = 24

TOPICS = Topics(
    settings.KAFKA.environment,
    SHARDS,
    shared={("execution", "risk"): "orders", ("risk", "execution"): "verdicts", ("risk", "risk"): "shards"},
    keyed=frozenset({("execution", "risk"), ("risk", "execution"), ("signals", "execution"), ("risk", "risk")}),
)


def planned() -> tuple[list[Topic], dict[str, str]]:
    """Return every topic of the system as it is now defined, and the principal of each context."""
    from apps.feeds.models import Feed
    from apps.signals.models import StrategySet

    feeds = Feed.objects.order_by("id").values_list("id", flat=True)
    sets = StrategySet.objects.order_by("id").values_list("id", flat=True)
    topics = [
        _stream("execution", "risk", "orders", readers=("risk", _service("risk"))),
        _stream("risk", "execution", "verdicts", writers=(_service("risk"),)),
        *(_stream("feeds", "signals", feed) for feed in feeds),
        *(_stream("signals", "execution", name) for name in sets),
        _resend("execution", "risk", _service("risk")),
        _resend("risk", "execution", "risk", _service("risk")),
        *(each for context in EXTRACTABLE for each in _of_both_sides(context)),
    ]
    parties = {party for topic in topics for party in (*topic.writers, *topic.readers)}
    return topics, {party: principal_of(party) for party in sorted(parties)}


def principal_of(party: str) -> str:
    """Return whom Kafka knows a context, or its service, as: a service has a name of its own, the app has one."""
    context, _, side = party.partition(".")
    return f"User:banyan-{context if side or context in settings.EXTRACTED else 'app'}"


def _service(context: str) -> str:
    return f"{context}.service"


def _stream(
    sender: str, receiver: str, name: str, *, writers: Sequence[str] = (), readers: Sequence[str] = ()
) -> Topic:
    is_keyed = (sender, receiver) in TOPICS.keyed
    return Topic(
        topic_name(TOPICS.environment, sender, "log" if sender == receiver else "evt", name),
        len(SHARDS) if is_keyed else 1,
        _WEEK_HOURS,
        writers=tuple(writers) or (sender,),
        readers=tuple(readers) or (receiver,),
        is_keyed=is_keyed,
    )


def _resend(sender: str, *receivers: str) -> Topic:
    readers = (sender, _service(sender)) if sender in EXTRACTABLE else (sender,)
    return Topic(TOPICS.resend(sender), 1, _RESEND_HOURS, writers=receivers, readers=readers)


def _of_both_sides(context: str) -> list[Topic]:
    """Return the topics that the sides of a context have between them: the log, and what followers compare."""
    sides = context, _service(context)
    return [
        _stream(context, context, TOPICS.shared[context, context], writers=sides, readers=sides),
        Topic(
            TOPICS.requests(context),
            len(SHARDS),
            _WEEK_HOURS,
            writers=(context,),
            readers=(_service(context),),
            is_keyed=True,
        ),
        Topic(TOPICS.compared(context), 1, _COMPARED_HOURS, writers=sides, readers=(context,)),
    ]
