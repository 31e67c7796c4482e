"""What is wanted of a context when something is wanted of one of its keys."""

from collections.abc import Collection

from banyan.facade import Routing, Stage, StageError


def goal_of(before: Routing, action: str, key: str, keys: Collection[str]) -> tuple[Stage, frozenset[str]]:
    """Return the stage of the context, and the keys that its service leads in it, that an action on a key leads to.

    `keys` are all that the context has. Raises StageError for what cannot be wanted of one key.
    """
    if before.stage is Stage.EXTRACTED or action == "extract":
        raise StageError(
            "A context is extracted with all its keys, and comes back with them: leave out the key, and try again"
        )
    if before.stage is Stage.INPROCESS:
        if action == "shadow":
            return Stage.SHADOW, frozenset()
        raise StageError("No service follows yet: `manage.py extract shadow` comes first")
    led = frozenset(keys) if before.stage is Stage.LIVE else before.service_keys
    if action in ("canary", "live"):
        if key in led:
            raise StageError(f"The service leads {key} already")
        led |= {key}
    else:
        if key not in led:
            raise StageError(f"The app leads {key}: a service that follows is sent away with the whole context")
        led -= {key}
    return (Stage.CANARY, led) if led else (Stage.SHADOW, led)


def is_less(before: Routing, stage: Stage, service_keys: frozenset[str]) -> bool:
    """Tell whether keys only come back to the app: nothing has to be so for that, as on any way back."""
    return before.stage is Stage.CANARY and stage is Stage.CANARY and service_keys < before.service_keys
