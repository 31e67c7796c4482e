"""How long read models are kept, and what of the logs has not been read yet.

| table | kept |
|---|---|
| fill | 10 years |
| order | 400 days after it ended |
| signal, skip, refusal, unmet | 400 days |
| quote, orderchange, feedevent | 90 days |
| account, instrument, position, day, price, mark | for ever: a row per account, instrument, book, day or log |

Fills are a client's record; positions and days are sums of them, and stay when they go.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from django.db import connections, models
from psycopg import sql

from apps.reporting.models import FeedEvent, Fill, Mark, Order, OrderChange, Quote, Refusal, Signal, Skip, Unmet
from apps.reporting.projecting import ALIAS, make_ahead
from banyan.timescale.partitions import partitions_of

DAYS_KEPT: Mapping[type[models.Model], int] = {
    Fill: 3653, Signal: 400, Skip: 400, Refusal: 400, Quote: 90, OrderChange: 90,
    FeedEvent: 90,
}  # fmt: skip
ORDER_DAYS = 400
_ORDERS_AT_A_TIME = 10_000


def retain(now: datetime, *, is_dry: bool) -> Iterator[str]:
    """Drop what is older than it is kept, and make the partitions of the coming weeks; yield what went, in words."""
    connection = connections[ALIAS]
    for model, days in DAYS_KEPT.items():
        for partition in partitions_of(connection, model):
            if partition.end <= now - timedelta(days=days):
                if not is_dry:
                    with connection.cursor() as cursor:
                        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(*partition.name.split("."))))
                yield partition.name
    before_ns = int((now - timedelta(days=ORDER_DAYS)).timestamp()) * 10**9
    old = Order.objects.using(ALIAS).filter(ended_or_filled(before_ns))
    count = old.count() if is_dry else _delete_orders(before_ns)
    if count:
        yield f"{count:,} orders"
    unmet = Unmet.objects.using(ALIAS).filter(unmet_at_ns__lt=before_ns)
    count = unmet.count() if is_dry else unmet.delete()[0]
    if count:
        yield f"{count:,} unmet requests"
    if not is_dry:
        make_ahead(now)


def ended_or_filled(before_ns: int) -> models.Q:
    """Return what holds for orders that ended, or were filled to the end, before a time."""
    is_filled = models.Q(filled_steps=models.F("steps"), last_fill_ns__lt=before_ns)
    return models.Q(ended_at_ns__lt=before_ns) | is_filled


def _delete_orders(before_ns: int) -> int:
    deleted = 0
    with connections[ALIAS].cursor() as cursor:
        while True:
            cursor.execute(
                "DELETE FROM reporting_order WHERE ctid = ANY(ARRAY(SELECT ctid FROM reporting_order "
                "WHERE ended_at_ns < %s OR (filled_steps = steps AND last_fill_ns < %s) LIMIT %s))",
                [before_ns, before_ns, _ORDERS_AT_A_TIME],
            )
            deleted += cursor.rowcount
            if cursor.rowcount < _ORDERS_AT_A_TIME:
                return deleted


def unread(readers: Mapping[str, tuple[str, ...]]) -> Callable[[str, str, int], str]:
    """Return what tells of (context, key, number) who has not read that record of its log, "" where everybody has.

    `readers` are the names of those who read, with the contexts whose logs they do.
    """

    def told(context: str, key: str, number: int) -> str:
        for reader, contexts in readers.items():
            if context not in contexts:
                continue
            marks = Mark.objects.using(ALIAS).filter(reader=reader, source=context, key=key, number__gte=number)
            if not marks.exists():
                return f"{reader} has not read record {number} of key {key}"
        return ""

    return told
