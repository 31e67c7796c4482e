"""What the service of execution is made of."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.execution.core import EXECUTION
from banyan.context import Context
from extract.service import Service
from settings.rehearsal import rehearse_execution
from settings.routes import TO_EDGE, TO_RISK
from settings.shards import SHARDS
from settings.topics import TOPICS

HOSTED_CONTEXTS: Mapping[str, Context[Any]] = {EXECUTION.name: EXECUTION}


def made() -> Service:
    """Return the service."""
    return Service(
        context=EXECUTION,
        routes=[*TO_EDGE, *TO_RISK],
        receivers=["edge", "risk"],
        senders=["edge", "risk", "signals"],
        keys=SHARDS,
        cluster=settings.KAFKA,
        topics=TOPICS,
        leads_new="execution" in settings.EXTRACTED,
        rehearse=rehearse,
    )


def rehearse() -> None:
    """Trade one account of nobody's, with nobody watching."""
    rehearse_execution()
