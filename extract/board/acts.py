"""Acts of the board: to the next stage once everything is so that has to be, and back from any."""

from django.conf import settings
from django.utils.module_loading import import_string

from apps.console.interface import Danger, Facts, Given, Kind
from banyan.facade import Side, Stage, StageError
from banyan.facade.routing import routing_of
from banyan.facade.stages import share_of
from extract.board.standing import BACK, all_keys
from extract.checks import Bounds, Check, checks, known
from extract.comparator.shapes import SHAPES
from extract.keys import begin_following
from extract.moving import Mover


def _known(given: Given) -> str:
    context = given["context"]
    if context not in SHAPES:
        raise StageError(f"{context} cannot be carved out yet: there are {', '.join(SHAPES)}")
    return context


def stage_of(given: Given) -> Stage:
    """Return the stage that is wanted. Raises StageError for one that there is not."""
    try:
        return Stage(given["stage"])
    except ValueError:
        raise StageError(f"There is no stage {given['stage']!r}: there are {', '.join(Stage)}") from None


def service_keys(context: str, stage: Stage, percent: str) -> frozenset[str]:
    """Return the keys that the service is to lead in a stage. Raises StageError."""
    if stage is not Stage.CANARY:
        return frozenset()
    if not percent.isdecimal():
        raise StageError(f"canary needs a percentage of the keys from 1 to 100, not {percent!r}")
    return share_of(all_keys(context), int(percent))


def found_for(context: str, stage: Stage) -> list[Check]:
    """Return what has to be so for a stage, each looked at."""
    return checks(context, routing_of(context), stage, all_keys(context), Bounds())


def _before(given: Given) -> Facts:
    routing = routing_of(given["context"])
    return {"stage": routing.stage, "service_keys": sorted(routing.service_keys)}


def _promotes(given: Given) -> list[str]:
    context, stage = _known(given), stage_of(given)
    keys = service_keys(context, stage, given["percent"])
    told = [f"{context} goes from {routing_of(context).stage} to {stage}."]
    if keys:
        told.append(f"Its service leads {', '.join(sorted(keys))}; the app follows there.")
    return told + [
        f"{'✓' if each.is_so else '✗ NOT SO:'} {each.name}: {each.found}" for each in found_for(context, stage)
    ]


def _promote(given: Given, why: str, _: str) -> tuple[str, Facts]:
    context, stage = _known(given), stage_of(given)
    found = found_for(context, stage)
    wrong = [f"{each.name}: {each.found}" for each in found if not each.is_so]
    if wrong:
        raise StageError(f"{context} stays in stage {routing_of(context).stage}: {'; '.join(wrong)}")
    return _move(context, stage, service_keys(context, stage, given["percent"]), why, found)


def _goes_back(given: Given) -> list[str]:
    context = _known(given)
    stage = routing_of(context).stage
    if BACK[stage] is stage:
        raise StageError(f"{context} is in the app already: there is nothing to go back from")
    return [
        f"{context} goes back from {stage} to {BACK[stage]}.",
        "Nothing has to be so for that; keys are handed over.",
    ]


def _back(given: Given, why: str, _: str) -> tuple[str, Facts]:
    context = _known(given)
    before = routing_of(context)
    return _move(context, BACK[before.stage], frozenset(), why, known(context, before, all_keys(context)))


def _move(context: str, stage: Stage, keys: frozenset[str], why: str, found: list[Check]) -> tuple[str, Facts]:
    before = routing_of(context)
    if context in settings.EXTRACTED:
        raise StageError(f"this app is run without {context}: take it out of BANYAN_EXTRACTED and start it anew first")
    if before.stage is stage and before.service_keys == keys:
        raise StageError(f"{context} is in stage {stage} already")
    told: list[str] = []
    there = all_keys(context)
    if before.stage is Stage.EXTRACTED:
        begin_following(context, Side.APP, there)
    mover = Mover(context, settings.KAFKA, import_string(settings.TOPIC_NAMES), there, told.append)
    who, _, reason = why.partition(": ")
    after = mover.move(before, stage, keys, who, reason, [each.told() for each in found])
    return f"{context}: {before.stage} → {after.stage}.", {
        "stage": after.stage,
        "keys": [each.strip() for each in told],
    }


KINDS = (
    Kind("extraction.promote", "Bring the context on", "Bring it on", Danger.GREAT, _promotes, _before, _promote,
         about=("context", "stage", "percent"), word="MOVE", asks_who=True),
    Kind("extraction.back", "Roll the context back", "Roll back", Danger.SOME, _goes_back, _before, _back,
         about=("context",), asks_who=True),
)  # fmt: skip
