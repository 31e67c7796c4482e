"""What did not come of acts: a command waits for its shard, and may be refused there when its turn comes."""

from collections.abc import Iterable, Mapping

from apps.console.asking import Asking
from apps.console.models import Act
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope, UnmetRow


def tell_unmet(asking: Asking, acts: Iterable[Act]) -> None:
    """Give acts, as `unmet`, what did not come of them and why."""
    known = list(acts)
    asked = {act.pk: [each[2] for each in act.outcome.commands] for act in known if hasattr(act, "outcome")}
    commands = [each for ids in asked.values() for each in ids]
    found: Mapping[str, UnmetRow] = asking.of("reporting", lambda: reporting.unmet(Scope(), commands)) or {}
    for act in known:
        act.unmet = [found[each] for each in asked.get(act.pk, ()) if each in found]
