"""Acts on strategy sets: start, pause, define anew."""

from apps.console.kinds import Danger, Done, Given, Kind, NothingChangesError
from apps.console.members import members_read, members_written
from apps.console.recording import Facts
from apps.reporting import interface as reporting
from apps.signals import interface as signals
from apps.signals.interface import NewMember, SetStanding
from banyan.commands import counted
from trading.intervals import format_interval


def members_now(name: str) -> list[NewMember]:
    """Return what is in a set, as it was defined last; nothing where there is none."""
    found = next((each for each in signals.set_standings() if each.name == name), None)
    return members_of(found) if found is not None else []


def members_of(standing: SetStanding) -> list[NewMember]:
    """Return what is in a set as it could be defined again."""
    return [
        NewMember(
            member.strategy,
            [(each.instrument, format_interval(each.interval_ns)) for each in member.channels],
            member.parameters,
            member.share_e9 / 1e9,
        )
        for member in standing.definition.members
    ]


def _wanted(given: Given) -> list[NewMember]:
    found = members_read(given["members"], {each.strategy for each in members_now(given["set"])})
    if not found:
        raise signals.SetError(f"set {given['set']}: it needs a strategy")
    return found


def _standing(given: Given) -> Facts:
    found = next((each for each in signals.set_standings() if each.name == given["set"]), None)
    if found is None:
        return {"state": "no such set"}
    return {"state": found.state, "members": members_written(members_of(found))}


def _follow(name: str) -> str:
    return f"{counted(reporting.followers().get(name, 0), 'account')} follow it."


def _starts(given: Given) -> list[str]:
    signals.get_set(given["set"])
    return [_follow(given["set"]), "It gives targets from its next bar on. One that was parked begins anew."]


def _pauses(given: Given) -> list[str]:
    signals.get_set(given["set"])
    return [_follow(given["set"]), "It follows its bars and gives no targets: what its accounts hold stays as it is."]


def _start(given: Given, _: str, __: str) -> Done:
    signals.start_set(given["set"])
    return f"Set {given['set']} starts.", {"wanted": "running"}


def _pause(given: Given, _: str, __: str) -> Done:
    signals.pause_set(given["set"])
    return f"Set {given['set']} pauses.", {"wanted": "paused"}


def _defines(given: Given) -> list[str]:
    before, then = members_now(given["set"]), _wanted(given)
    old, new = ([members_written([each]) for each in members] for members in (before, then))
    gone = [f"Out: {each}" for each in old if each not in new]
    come = [f"In: {each}" for each in new if each not in old]
    if before and not gone and not come:
        raise NothingChangesError(f"Nothing changes: set {given['set']} is this already.")
    what = (
        "It is a set already: it is replaced."
        if before
        else "It is a new set, which gives no targets before it is started."
    )
    return [
        what, *gone, *come, _follow(given["set"]),
        "Its strategies are warmed up anew with the bars before the first that they get.",
    ]  # fmt: skip


def _define(given: Given, _: str, __: str) -> Done:
    signals.define_set(given["set"], _wanted(given))
    return f"Set {given['set']} is defined.", {"members": given["members"]}


_SET = ("set",)
SET_KINDS = (
    Kind("set.start", "Start the set", "Start", Danger.SOME, _starts, _standing, _start, about=_SET),
    Kind("set.pause", "Pause the set", "Pause", Danger.SOME, _pauses, _standing, _pause, about=_SET),
    Kind("set.define", "Define the set", "Define", Danger.SOME, _defines, _standing, _define, about=("set", "members"),
         named_by=_SET),
)  # fmt: skip
