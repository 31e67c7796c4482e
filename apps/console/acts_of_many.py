"""Acts on all accounts that what is typed finds: counted before, and refused where they are others meanwhile."""

from collections.abc import Callable

from apps.console.kinds import Danger, Done, Given, Kind
from apps.console.recording import Facts
from apps.execution.interface import flatten, resume
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from apps.risk.contracts import TradingState
from apps.risk.interface import set_trading_state
from banyan.commands import counted

_MOST = 100_000


class SelectionError(ValueError):
    """What was chosen cannot be acted on; the message says why, and what to do."""

    exit_code = 2


def _chosen(given: Given) -> list[str]:
    """Return the accounts. Raises SelectionError where they are not as many as were shown."""
    if not given["find"].strip():
        raise SelectionError("type what finds the accounts that you mean; all accounts together are halted under Risk")
    found = [each.account for each in reporting.find_accounts(Scope(), given["find"].strip(), None, _MOST)]
    if not found:
        raise SelectionError(f"no account has “{given['find']}” in its id or its client")
    if str(len(found)) != given["count"]:
        raise SelectionError(
            f"“{given['find']}” finds {counted(len(found), 'account')} now, and {given['count']} were shown: look again"
        )
    return found


def _together(given: Given) -> Facts:
    return reporting.selection(given["find"].strip())._asdict()


def _tells(line: str) -> Callable[[Given], list[str]]:
    def effect(given: Given) -> list[str]:
        accounts = _chosen(given)
        of = reporting.selection(given["find"].strip())
        named = f"{', '.join(accounts[:8])}{' …' if len(accounts) > 8 else ''}"
        now = f"{of.halted:,} are halted, {of.reducing:,} only reduce; working orders: {of.working:,}."
        return [
            f"{counted(len(accounts), 'account')} with “{given['find']}” in id or client: {named}.",
            f"Of them {of.holding:,} hold {counted(of.positions, 'position')}, {now}",
            line,
        ]

    return effect


def _state(state: TradingState) -> Callable[[Given, str, str], Done]:
    def do(given: Given, why: str, request: str) -> Done:
        accounts = _chosen(given)
        set_trading_state(state, accounts=accounts, reason=why, request=request)
        return f"Asked: {counted(len(accounts), 'account')} {state.name.lower()}. How far it is stands below.", {
            "asked": state.name.lower(), "accounts": len(accounts),
        }  # fmt: skip

    return do


def _flatten(given: Given, why: str, request: str) -> Done:
    accounts = _chosen(given)
    flatten(accounts, reason=why, request=request)
    told = f"Asked: {counted(len(accounts), 'account')} close what they hold. How far it is stands below."
    return told, {"asked": "flat", "accounts": len(accounts)}


def _resume(given: Given, _: str, request: str) -> Done:
    accounts = _chosen(given)
    resume(accounts, request=request)
    told = f"Asked: {counted(len(accounts), 'account')} trade again with their sets' next word."
    return told, {"asked": "resumed", "accounts": len(accounts)}


_FOUND = ("find",)
_SELECTED = (*_FOUND, "count")
MANY_KINDS = (
    Kind("accounts.halt", "Halt the accounts", "Halt them", Danger.GREAT,
         _tells("They open and enlarge nothing; their positions stay as they are."), _together,
         _state(TradingState.HALTED), about=_SELECTED, named_by=_FOUND, word="HALT"),
    Kind("accounts.reduce", "Let the accounts' positions only shrink", "Reduce only", Danger.SOME,
         _tells("They may only make positions smaller."), _together, _state(TradingState.REDUCING), about=_SELECTED,
         named_by=_FOUND),
    Kind("accounts.activate", "Let the accounts trade", "Let them trade", Danger.SOME,
         _tells("They trade within their limits; losses count anew from now."), _together,
         _state(TradingState.ACTIVE), about=_SELECTED, named_by=_FOUND),
    Kind("accounts.flatten", "Flatten the accounts", "Flatten them", Danger.GREAT,
         _tells("All of it is closed at market, and held at zero until they are resumed."), _together, _flatten,
         about=_SELECTED, named_by=_FOUND, word="FLATTEN"),
    Kind("accounts.resume", "Resume the accounts", "Resume them", Danger.SOME,
         _tells("They are held at zero no longer: their sets' next word is traded."), _together, _resume,
         about=_SELECTED, named_by=_FOUND),
)  # fmt: skip
