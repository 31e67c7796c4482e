"""The façade: which side leads each key of a context, the app or a service, as data that is changed live."""

from banyan.facade.stages import Routing, Side, Stage, StageError

__all__ = ["Routing", "Side", "Stage", "StageError"]
