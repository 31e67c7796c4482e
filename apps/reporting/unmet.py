"""What was asked of execution and did not come of it, for whoever has asked and reads "asked" so far."""

from collections.abc import Collection
from typing import NamedTuple

from apps.execution.book_contracts import SkipReason
from apps.reporting.reading import named
from apps.reporting.scoping import Columns, Scope, rows, where
from apps.reporting.words import skip_in_words


class UnmetRow(NamedTuple):
    """A command that was refused, or by which nothing was ordered, and why in words."""

    command_id: str
    at_ns: int
    command: str
    is_refused: bool
    words: str


def unmet(scope: Scope, commands: Collection[str]) -> dict[str, UnmetRow]:
    """Return what did not come of commands, by their ids; of others nothing."""
    if not commands:
        return {}
    limits, values = where(Scope(client=scope.client), Columns())
    whose = f"JOIN reporting_account AS a ON a.number = u.account AND {limits}" if scope.client else ""
    found = rows(
        "SELECT u.command_id, u.unmet_at_ns, u.command, u.reason, u.skip "  # noqa: S608  (names of ours)
        f"FROM reporting_unmet AS u {whose} WHERE u.command_id = ANY(%s) ORDER BY u.number, u.event",
        [*(values if scope.client else []), list(commands)],
    )
    return {
        each: UnmetRow(each, at_ns, command, not skip, reason or skip_in_words(named(SkipReason, skip)))
        for each, at_ns, command, reason, skip in found
    }
