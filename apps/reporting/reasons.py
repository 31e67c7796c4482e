"""By which settings an order was sized, or a target skipped: what each was then, and at which level it was given."""

from typing import Any

from apps.execution.book_contracts import ConfigureAccount, Effective, effective_settings
from apps.execution.contracts import ConfigureSet, Subscribe
from apps.reporting.reading import OrderRow
from apps.reporting.scoping import rows
from apps.reporting.unfolding import SkipRow
from banyan.codec import decode_message

LEVELS: tuple[type[Any], ...] = (ConfigureSet, Subscribe, ConfigureAccount)
"""The command that gives settings at each level, from 1."""


def settings_of(row: OrderRow | SkipRow) -> list[Effective]:
    """Return the settings that held when an order was requested or a target skipped; none where no set asked for it.

    They are what the log of the account's shard had said by then: of the set, of the subscription and of the account.
    """
    found = rows(
        """
        SELECT DISTINCT ON (s.level) s.level, s.body FROM reporting_setting AS s
        JOIN reporting_account AS a ON a.id = %s
        WHERE s.number < %s AND (s.level = 3 OR s.set = %s) AND (s.level = 1 OR s.account = a.number)
          AND s.shard = (SELECT m.shard FROM reporting_setting AS m WHERE m.account = a.number LIMIT 1)
        ORDER BY s.level, s.number DESC, s.event DESC
        """,
        [row.account, row.number, row.set],
        is_planned_once=True,
    )
    told: dict[int, Any] = {level: decode_message(LEVELS[level - 1].wire_name, bytes(body)) for level, body in found}
    if 1 not in told or 2 not in told:
        return []
    return effective_settings(told[1], told[2], told.get(3))
