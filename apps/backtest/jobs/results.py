"""What came out of jobs."""

import zlib
from typing import Any

import orjson

from apps.backtest.models import JobResult


def result(short_id: str, most: int | None = None) -> dict[str, Any] | None:
    """Return what came out of a job; see `apps.backtest.interface.job_result`."""
    kept = JobResult.objects.filter(job__short_id=short_id).values_list("document", flat=True).first()
    if kept is None:
        return None
    document: dict[str, Any] = orjson.loads(zlib.decompress(bytes(kept)))
    if most is not None and "rows" in document:
        document["rows"] = document["rows"][:most]
    return document


def report(short_id: str) -> bytes | None:
    """Return the report of a job, a page of HTML that loads nothing; None where there is none."""
    kept = JobResult.objects.filter(job__short_id=short_id).values_list("report", flat=True).first()
    return None if kept is None else zlib.decompress(bytes(kept))
