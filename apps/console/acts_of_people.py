"""Acts on people: roles, who may sign in, locks, sessions, second factors."""

from collections.abc import Callable

from django.contrib.auth.models import Group, User

from apps.console import second_factor, sessions
from apps.console.access import PEOPLE
from apps.console.kinds import Danger, Done, Given, Kind
from apps.console.models import SignInTry
from apps.console.recording import Facts
from banyan.commands import counted

ROLES = ("viewers", "operators")


class PersonError(ValueError):
    """What was asked of a user cannot be: the message says why."""

    exit_code = 2


def _person(given: Given) -> User:
    found = User.objects.filter(username=given["user"]).first()
    if found is None:
        raise PersonError(f"there is no user {given['user']}")
    return found


def _changeable(given: Given, why: str) -> User:
    """Return whom an act is about. Raises PersonError where a superuser is, and who acts is none."""
    person, by = _person(given), why.partition(":")[0]
    if person.is_superuser and not User.objects.filter(username=by, is_superuser=True).exists():
        raise PersonError(f"{person.username} is a superuser: only another superuser changes how they sign in")
    return person


def _stands(given: Given) -> Facts:
    found = _person(given)
    return {
        "active": found.is_active,
        "roles": sorted(found.groups.values_list("name", flat=True)),
        "second factor": bool(second_factor.factors_of(found)),
    }


def _role(given: Given) -> Group:
    found = Group.objects.filter(name=given["role"]).first()
    if found is None:
        raise PersonError(f"there is no role {given['role']}; there are {', '.join(ROLES)}")
    return found


def _gives(given: Given) -> list[str]:
    role, person = _role(given), _person(given)
    allowed = ", ".join(each.name.removeprefix("Can ") for each in role.permissions.all()) or "nothing"
    return [f"{person.username} may then: {allowed}."]


def _give(given: Given, _: str, __: str) -> Done:
    _person(given).groups.add(_role(given))
    return f"{given['user']} is one of the {given['role']}.", _stands(given)


def _takes(given: Given) -> list[str]:
    _role(given), _person(given)
    return [f"{given['user']} may no longer do what {given['role']} may, with the next page that they ask for."]


def _take(given: Given, _: str, __: str) -> Done:
    _person(given).groups.remove(_role(given))
    return f"{given['user']} is none of the {given['role']} any more.", _stands(given)


def _set_active(is_active: bool) -> Callable[[Given, str, str], Done]:
    def do(given: Given, why: str, _: str) -> Done:
        person = _changeable(given, why)
        if not is_active and person.username == why.partition(":")[0]:
            raise PersonError("nobody shuts themselves out: let somebody else do it")
        User.objects.filter(pk=person.pk).update(is_active=is_active)
        if is_active:
            return f"{person.username} may sign in.", {"active": True}
        ended = counted(sessions.end(person), "session")
        return f"{person.username} may not sign in any more; {ended} ended.", {"active": False}

    return do


def _ends(given: Given) -> list[str]:
    person = _person(given)
    count = counted(len(sessions.sessions_of(person)), "session")
    return [f"What {person.username} has open ends at once: {count}. They can sign in anew."]


def _end(given: Given, why: str, _: str) -> Done:
    ended = sessions.end(_changeable(given, why))
    return f"{counted(ended, 'session')} of {given['user']} ended.", {"ended": ended}


def _unlock(given: Given, _: str, __: str) -> Done:
    _person(given)
    gone = SignInTry.objects.filter(username=given["user"].lower(), has_failed=True).delete()[0]
    return f"{given['user']} may try to sign in again.", {"failed tries forgotten": gone}


def _removes_factor(given: Given) -> list[str]:
    person = _person(given)
    if not second_factor.factors_of(person):
        raise PersonError(f"{person.username} has no second factor")
    return [
        f"{person.username} signs in by password alone until they set up a new one.",
        "Do it only if you know that it is they who ask: it is how somebody else would get in.",
    ]


def _remove_factor(given: Given, why: str, _: str) -> Done:
    second_factor.remove(_changeable(given, why))
    return f"The second factor of {given['user']} is removed.", _stands(given)


_USER = ("user",)
_OF_ROLE = ("user", "role")
PEOPLE_KINDS = (
    Kind("person.give-role", "Give a role", "Give it", Danger.SOME, _gives, _stands, _give, about=_OF_ROLE,
         permission=PEOPLE, asks_who=True),
    Kind("person.take-role", "Take a role away", "Take it away", Danger.SOME, _takes, _stands, _take, about=_OF_ROLE,
         permission=PEOPLE, asks_who=True),
    Kind("person.shut-out", "Let somebody sign in no more", "Shut out", Danger.SOME,
         lambda given: [f"{_person(given).username} cannot sign in, and their sessions end."], _stands,
         _set_active(False), about=_USER, permission=PEOPLE, asks_who=True),
    Kind("person.let-in", "Let somebody sign in", "Let in", Danger.SOME,
         lambda given: [f"{_person(given).username} can sign in again, with the password of before."], _stands,
         _set_active(True), about=_USER, permission=PEOPLE, asks_who=True),
    Kind("person.end-sessions", "End the sessions of somebody", "End them", Danger.SOME, _ends, _stands, _end,
         about=_USER, permission=PEOPLE),
    Kind("person.unlock", "Unlock somebody", "Unlock", Danger.SOME,
         lambda given: [f"Failed tries of {_person(given).username} to sign in are forgotten."], _stands, _unlock,
         about=_USER, permission=PEOPLE),
    Kind("person.remove-factor", "Remove a second factor", "Remove it", Danger.SOME, _removes_factor, _stands,
         _remove_factor, about=_USER, permission=PEOPLE, asks_who=True),
)  # fmt: skip
