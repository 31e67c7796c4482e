"""What feeds are asked by other contexts, wherever these are, as messages."""

import psycopg
from django.db import OperationalError, connections

from apps.feeds.contracts import BarsFound, FindBars
from apps.feeds.history import Channel, bars_before
from apps.feeds.rows import ALIAS
from banyan.messages import Message


def answer(question: Message) -> BarsFound:
    """Return the answer to a question, the connection given back. Raises psycopg.OperationalError."""
    assert isinstance(question, FindBars), f"{question.wire_name} is nothing that feeds are asked"
    counts = {Channel(each.instrument, each.interval_ns): each.count for each in question.wanted}
    try:
        return BarsFound(bars=bars_before(question.feed, counts, question.before_ns))
    except OperationalError as problem:
        raise psycopg.OperationalError(str(problem)) from problem
    finally:
        connections[ALIAS].close()
