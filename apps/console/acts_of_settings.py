"""Acts on what holds: at the level of a set for all who follow it, of an account, and of how it follows a set."""

from typing import Any

from apps.console import levels
from apps.console.kinds import Danger, Done, Given, Kind, NothingChangesError
from apps.console.levels import LevelError, title
from apps.console.recording import Facts
from apps.execution import interface as execution
from apps.execution.book_contracts import ConfigureAccount
from apps.execution.contracts import ConfigureSet, Subscribe
from apps.feeds.interface import get_instrument
from apps.reporting import interface as reporting
from apps.reporting.interface import FoundAccount, Scope
from apps.signals.interface import get_set
from banyan.commands import counted

Terms = ConfigureAccount | Subscribe
_NAMED_MAX = 12
_COUNTS_FROM = "It counts from the set's next word on; nothing is traded for the change alone."


def account_of(name: str) -> FoundAccount:
    """Return an account. Raises LevelError where there is none."""
    found = reporting.account(Scope(account=name))
    if found is None:
        raise LevelError(f"there is no account {name}")
    return found


def asked_last(of: FoundAccount, set_name: str) -> Terms | None:
    """Return what was asked last at a level, whether it is applied or waits; None: nothing ever was."""
    waiting = execution.settings_waiting(of.account, set_name).settings
    found: Terms | None = waiting if waiting is not None else reporting.setting_of(of, set_name)
    return found


def typed_last(of: FoundAccount, set_name: str) -> dict[str, str]:
    """Return what was asked last at a level, as it is typed."""
    found = asked_last(of, set_name)
    return {} if found is None else levels.written(execution.in_words(found))


def terms(set_name: str, typed: dict[str, str]) -> Terms:
    """Return what settings of a level are, as typed: of an account, or ("": not) of how it follows a set.

    Raises LevelError, AccountError, SetError and InstrumentNotFound.
    """
    given = levels.given(typed, levels.OF_FOLLOWING if set_name else levels.OF_ACCOUNT)
    for name in [*(given["instruments"] or ()), *(given.get("symbols") or {}).values()]:
        get_instrument(name)
    if not set_name:
        return execution.account_settings(given)
    get_set(set_name)
    return execution.subscription(set_name, given)


def set_level(set_name: str, typed: dict[str, str]) -> dict[str, Any]:
    """Return what settings for all who follow a set are, as typed. Raises LevelError, AccountError and SetError."""
    get_set(set_name)
    return execution.followers_level(levels.given(typed, levels.OF_SET))


def typed_of_set(set_name: str) -> dict[str, str]:
    """Return what is set for all who follow a set, as it is typed."""
    level = execution.level_of_followers(set_name)
    return levels.written(execution.in_words(ConfigureAccount(account=0, **level)))


def _wanted(given: Given) -> Terms:
    return terms(given.get("set", ""), levels.typed_in(given["settings"]))


def _stands(given: Given) -> Facts:
    return dict(typed_last(account_of(given["account"]), given.get("set", "")))


def _changes(given: Given) -> list[str]:
    of, wanted, name = account_of(given["account"]), _wanted(given), given.get("set", "")
    before, then = typed_last(of, name), levels.written(execution.in_words(wanted))
    where = f"how {of.account} follows {name}" if name else f"{of.account}, for all that it follows"
    told = _differing(before, then, where)
    if not told:
        raise NothingChangesError(f"Nothing changes: this is what was asked last for {where}.")
    return [*told, *(_effects(of, wanted) or ["What holds follows when the shard knows the set."])]


def _differing(before: dict[str, str], then: dict[str, str], where: str) -> list[str]:
    none = "not given"
    return [
        f"{title(each)}: {before.get(each, none)} becomes {then.get(each, none)}, at the level of {where}."
        for each in dict.fromkeys([*before, *then])
        if before.get(each) != then.get(each)
    ]


def _effects(of: FoundAccount, wanted: Terms) -> list[str]:
    """Return what would hold otherwise, by set."""
    now: dict[str, Any] = {each.set: each.settings for each in reporting.settings_now(of)}
    told = []
    for each in reporting.settings_now(of, instead=wanted):
        known = {one.name: one for one in now.get(each.set, ())}
        changed = [
            f"{title(one.name).lower()} from {known[one.name].value} to {one.value}"
            for one in each.settings
            if one.name in known and known[one.name].value != one.value
        ]
        told.append(f"In {each.set}: {', '.join(changed) or 'what holds stays as it is'}.")
    more = f"And {len(told) - _NAMED_MAX} more sets." if len(told) > _NAMED_MAX else ""
    return [*told[:_NAMED_MAX], *([more] if more else [])]


def _configure(given: Given, _: str, request: str) -> Done:
    wanted = _wanted(given)
    assert isinstance(wanted, ConfigureAccount)
    execution.configure_accounts([(given["account"], wanted)], request=request)
    return f"Asked: settings of {given['account']}.", dict(levels.written(execution.in_words(wanted)))


def _subscribe(given: Given, _: str, request: str) -> Done:
    wanted = _wanted(given)
    assert isinstance(wanted, Subscribe)
    execution.follow(given["account"], wanted, request=request)
    told = dict(levels.written(execution.in_words(wanted)))
    return f"Asked: how {given['account']} follows {given['set']}.", told


def _stands_for_all(given: Given) -> Facts:
    return dict(typed_of_set(given["set"]))


def _changes_for_all(given: Given) -> list[str]:
    name = given["set"]
    level = set_level(name, levels.typed_in(given["settings"]))
    then = levels.written(execution.in_words(ConfigureAccount(account=0, **level)))
    told = _differing(typed_of_set(name), then, f"all who follow {name}")
    if not told:
        raise NothingChangesError(f"Nothing changes: this is what is set for all who follow {name}.")
    before = ConfigureSet(set=name, terms=[], **execution.level_of_followers(name))
    found = reporting.followers_changed(before, ConfigureSet(set=name, terms=[], **level))
    of = f"of {counted(found.followers, 'account')} that follow it"
    told += [
        f"For {each.accounts:,} {of}: {title(each.name).lower()} from {each.before} to {each.then}."
        for each in found.changed
    ]
    if found.unchanged:
        told.append(f"For {found.unchanged:,} {of} nothing changes: what they say themselves goes before this.")
    return [*told, _COUNTS_FROM]


def _configure_for_all(given: Given, _: str, __: str) -> Done:
    level = set_level(given["set"], levels.typed_in(given["settings"]))
    execution.configure_followers(given["set"], level)
    return f"Asked every shard: what holds for all who follow {given['set']}.", dict(typed_of_set(given["set"]))


SETTING_KINDS = (
    Kind("set.configure", "Change what holds for all who follow the set", "Change it for all", Danger.GREAT,
         _changes_for_all, _stands_for_all, _configure_for_all, about=("set", "settings"), named_by=("set",),
         word="ALL"),
    Kind("account.configure", "Change the account's settings", "Change them", Danger.SOME, _changes, _stands,
         _configure, about=("account", "settings"), named_by=("account",)),
    Kind("account.subscribe", "Change how the account follows a set", "Change it", Danger.SOME, _changes, _stands,
         _subscribe, about=("account", "set", "settings"), named_by=("account", "set")),
)  # fmt: skip
