"""Which topics there are: what carries each stream between contexts, how long it is kept, who may write and read it."""

from collections.abc import Collection, Mapping, Sequence

from django.conf import settings

from banyan.commands import UsageError
from banyan.kafka.topics import Topic, Topics, topic_name
from settings.routing import EXTRACTABLE
from settings.shards import SHARDS

_WEEK_HOURS = 7 * 24
"""How long Kafka keeps what outboxes keep longer: for a service that was away for a holiday."""
_RESEND_HOURS = 1
_COMPARED_HOURS = 24

_ON_SHARDS = {
    ("execution", "risk"): "orders",
    ("risk", "execution"): "verdicts",
    ("execution", "edge"): "released",
    ("edge", "execution"): "reports",
    ("execution", "execution"): "shards",
    ("risk", "risk"): "shards",
}
TOPICS = Topics(
    settings.KAFKA.environment, SHARDS, shared=_ON_SHARDS, keyed=frozenset({*_ON_SHARDS, ("signals", "execution")})
)
"""What is not on shards has topics of its own for each of the sender's keys: feeds, and sets."""


def planned(coming: Collection[str] = ()) -> tuple[list[Topic], dict[str, str]]:
    """Return every topic of the system as it is now defined, and the principal of each context.

    Contexts that are `coming` are taken as if they had a service already. Raises UsageError for one that can have none,
    and django.db.OperationalError.
    """
    unknown = sorted(set(coming) - set(EXTRACTABLE))
    if unknown:
        raise UsageError(f"{unknown[0]} can have no service: there are {', '.join(EXTRACTABLE)}")
    from apps.feeds.interface import feed_names
    from apps.signals.models import StrategySet

    having = _having_services(coming)
    feeds = feed_names(with_logs=bool({"feeds", "signals"} & having))  # bars of a replay cross as those of any feed
    sets = list(StrategySet.objects.order_by("id").values_list("id", flat=True))
    topics = [
        _stream("execution", "risk", "orders", writers=_sides("execution"), readers=_sides("risk")),
        _stream("risk", "execution", "verdicts", writers=_verdicts(having), readers=_sides("execution")),
        _stream("execution", "edge", "released", writers=(_service("execution"),)),
        _stream("edge", "execution", "reports", readers=_sides("execution")),
        *(_stream("feeds", "signals", feed, writers=_sides("feeds"), readers=_bar_readers()) for feed in feeds),
        *(
            _stream("signals", "execution", name, writers=_sides("signals"), readers=_sides("execution"))
            for name in sets
        ),
        *_questions("signals", "feeds"),
        _resend("feeds", *_sides("signals"), *_sides("feeds")),
        _resend("signals", *_sides("execution"), *_sides("signals")),
        _resend("edge", *_sides("execution")),
        _resend("execution", "edge", *_sides("risk"), *_sides("execution")),
        _resend("risk", *_sides("execution"), *_sides("risk")),
        *(each for context in EXTRACTABLE for each in _of_both_sides(context, {"feeds": feeds, "signals": sets})),
    ]
    parties = {party for topic in topics for party in (*topic.writers, *topic.readers)}
    return topics, {party: principal_of(party) for party in sorted(parties)}


def _having_services(coming: Collection[str]) -> set[str]:
    """Return the contexts that have a service, or are to have one."""
    from banyan.facade.routing import routings

    return {*coming, *settings.EXTRACTED, *(name for name, each in routings().items() if each.has_service)}


def _verdicts(having: Collection[str]) -> tuple[str, ...]:
    """Return who may write verdicts: risk's service, and risk in the app while those of the app go by Kafka too."""
    return _sides("risk") if "execution" in having and "risk" not in settings.EXTRACTED else (_service("risk"),)


def _bar_readers() -> tuple[str, ...]:
    """Return who may read bars: sets, and where neither these nor feeds are in the app, its paper broker by itself."""
    is_alone = {"feeds", "signals"} <= set(settings.EXTRACTED)
    return (*_sides("signals"), *(["edge"] if is_alone else []))


def principal_of(party: str) -> str:
    """Return whom Kafka knows a context, or its service, as: a service has a name of its own, the app has one."""
    context, _, side = party.partition(".")
    return f"User:banyan-{context if side or context in settings.EXTRACTED else 'app'}"


def _service(context: str) -> str:
    return f"{context}.service"


def _sides(context: str) -> tuple[str, str]:
    return context, _service(context)


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
    readers = _sides(sender) if sender in EXTRACTABLE else (sender,)
    return Topic(TOPICS.resend(sender), 1, _RESEND_HOURS, writers=receivers, readers=readers)


def _questions(asks: str, of: str) -> list[Topic]:
    """Return the topics on which the service of a context asks another one, in the app, and is answered."""
    return [
        Topic(TOPICS.questions(of), 1, _RESEND_HOURS, writers=(_service(asks),), readers=(of,)),
        Topic(TOPICS.answers(of), 1, _RESEND_HOURS, writers=(of,), readers=(_service(asks),)),
    ]


def _of_both_sides(context: str, keys: Mapping[str, Sequence[str]]) -> list[Topic]:
    """Return the topics that the sides of a context have between them: logs, and what followers compare."""
    sides = _sides(context)
    shared = TOPICS.shared.get((context, context))
    return [
        *(
            _stream(context, context, log, writers=sides, readers=sides)
            for log in ([shared] if shared else keys[context])
        ),
        Topic(
            TOPICS.requests(context),
            len(SHARDS) if shared else 1,
            _WEEK_HOURS,
            writers=(context,),
            readers=(_service(context),),
            is_keyed=bool(shared),
        ),
        Topic(TOPICS.compared(context), 1, _COMPARED_HOURS, writers=sides, readers=(context,)),
    ]
