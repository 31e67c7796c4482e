"""What people can ask for in the console: what each act would do, and how it is done."""

from collections.abc import Callable, Mapping

from apps.console.acts_of_alerts import ALERT_KINDS
from apps.console.acts_of_many import MANY_KINDS
from apps.console.acts_of_orders import ORDER_KINDS
from apps.console.acts_of_people import PEOPLE_KINDS
from apps.console.acts_of_proposals import PROPOSAL_KINDS
from apps.console.acts_of_quarantine import QUARANTINE_KINDS
from apps.console.acts_of_risk import RISK_KINDS
from apps.console.acts_of_sets import SET_KINDS
from apps.console.acts_of_settings import SETTING_KINDS
from apps.console.kinds import Danger, Given, Kind
from apps.console.recording import Facts
from apps.execution.interface import flatten, kill_switch, resume
from apps.feeds.interface import feed_standings, run_feed
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from apps.risk.contracts import TradingState
from apps.risk.interface import set_trading_state
from banyan.commands import counted
from banyan.dead_letters import drop, redrive, release, shown


class NothingHeldError(ValueError):
    """There is no position to close."""

    exit_code = 2


# ---- trading --------------------------------------------------------------------------------------------------------


def _accounts() -> int:
    return sum(each.accounts for each in reporting.funds())


def _states(_: Given) -> Facts:
    return {
        "restrictions": [
            {"level": each.level, "name": each.name, "state": each.state, "reason": each.reason}
            for each in reporting.restrictions()
        ]
    }


def _set_state(state: TradingState) -> Callable[[Given, str, str], tuple[str, Facts]]:
    def do(_: Given, why: str, request: str) -> tuple[str, Facts]:
        set_trading_state(state, reason=why, request=request)
        return f"Asked every shard: trading is {state.name.lower()}.", {"asked": state.name.lower()}

    return do


def _halts(_: Given) -> list[str]:
    return [
        f"No account opens or enlarges a position: all {_accounts():,}.",
        "Orders that are reduce-only, flattening and cancels still pass. Positions stay as they are.",
    ]


def _reduces(_: Given) -> list[str]:
    return [f"All {_accounts():,} accounts may only make positions smaller."]


def _activates(_: Given) -> list[str]:
    return [
        f"All {_accounts():,} accounts may trade within their limits again.",
        "Accounts, sets and instruments that were halted one by one, or by a loss, stay halted.",
    ]


def _switch(_: Given) -> Facts:
    return {"thrown": kill_switch().reason()}


def _throw(_: Given, why: str, __: str) -> tuple[str, Facts]:
    kill_switch().throw(why)
    return "The kill switch is thrown: no new order leaves this machine.", _switch({})


def _lift(_: Given, __: str, ___: str) -> tuple[str, Facts]:
    was_thrown = kill_switch().lift()
    return "The kill switch is lifted." if was_thrown else "The kill switch had not been thrown.", _switch({})


# ---- one account ----------------------------------------------------------------------------------------------------


def _holds(given: Given) -> Facts:
    positions = reporting.positions(Scope(account=given["account"]), 500)
    of = reporting.account(Scope(account=given["account"]))
    held = {f"{each.set} {each.instrument}": each.lots for each in positions if each.steps}
    states = [] if of is None else reporting.holds_of(of, [], [])
    return {"positions": held, "states": [{"level": each.level, "state": each.state} for each in states]}


def _exposure(given: Given) -> str:
    scope = Scope(account=given["account"])
    if reporting.account(scope) is None:
        return f"There is no account {given['account']}."
    held = [each for each in reporting.positions(scope, 500) if each.steps]
    orders = len(reporting.orders(scope, 1_000, state="working"))
    value = sum(abs(each.value or 0.0) for each in held)
    return f"It holds {counted(len(held), 'position')}, worth {value:,.2f}, and has {counted(orders, 'working order')}."


def _set_state_of_account(state: TradingState) -> Callable[[Given, str, str], tuple[str, Facts]]:
    def do(given: Given, why: str, request: str) -> tuple[str, Facts]:
        set_trading_state(state, accounts=[given["account"]], reason=why, request=request)
        return f"Asked: {given['account']} is {state.name.lower()}.", {"asked": state.name.lower()}

    return do


def _flatten(given: Given, why: str, request: str) -> tuple[str, Facts]:
    flatten([given["account"]], reason=why, request=request)
    return f"Asked: {given['account']} closes what it holds, and is held at zero until it is resumed.", {
        "asked": "flat"
    }


def _closes(given: Given) -> list[str]:
    scope = Scope(account=given["account"], instrument=given["instrument"])
    held = [each for each in reporting.positions(scope, 500) if each.steps]
    if not held:
        raise NothingHeldError(f"{given['account']} holds nothing of {given['instrument']}")
    lots = ", ".join(f"{each.lots:+,.10g} lots in {each.set}" for each in held)
    return [
        f"It holds {lots}: all of it is closed at market.",
        f"{given['instrument']} is held at zero in this account until the account is resumed.",
    ]


def _close(given: Given, why: str, request: str) -> tuple[str, Facts]:
    flatten([given["account"]], instrument=given["instrument"], reason=why, request=request)
    told = f"Asked: {given['account']} closes {given['instrument']}, and holds it at zero until it is resumed."
    return told, {"asked": "flat", "instrument": given["instrument"]}


def _resume(given: Given, _: str, request: str) -> tuple[str, Facts]:
    resume([given["account"]], request=request)
    return f"Asked: {given['account']} trades again with its sets' next word.", {"asked": "resumed"}


# ---- feeds and dead letters -----------------------------------------------------------------------------------------


def _feed(given: Given) -> Facts:
    return {"state": next((each.state for each in feed_standings() if each.name == given["feed"]), "unknown")}


def _run_feed(is_running: bool) -> Callable[[Given, str, str], tuple[str, Facts]]:
    def do(given: Given, _: str, __: str) -> tuple[str, Facts]:
        changed = run_feed(given["feed"], is_running=is_running)
        word = "started" if is_running else "stopped"
        return f"Feed {given['feed']} {'is' if changed else 'was already'} {word}.", {"wanted": word}

    return do


def _letter(given: Given) -> Facts:
    return shown(given["context"], given["letter"])


_ACCOUNT = ("account",)
_LETTER = ("context", "letter")

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *ALERT_KINDS,
        *MANY_KINDS,
        *ORDER_KINDS,
        *PEOPLE_KINDS,
        *PROPOSAL_KINDS,
        *QUARANTINE_KINDS,
        *RISK_KINDS,
        *SETTING_KINDS,
        *SET_KINDS,
        Kind("trading.halt", "Halt trading", "Halt trading", Danger.GREAT, _halts, _states,
             _set_state(TradingState.HALTED), word="HALT"),
        Kind("trading.reduce", "Let positions only shrink", "Reduce only", Danger.SOME, _reduces, _states,
             _set_state(TradingState.REDUCING)),
        Kind("trading.activate", "Lift the halt", "Lift the halt", Danger.SOME, _activates, _states,
             _set_state(TradingState.ACTIVE)),
        Kind("kill-switch.throw", "Throw the kill switch", "Throw the kill switch", Danger.GREAT,
             lambda _: ["No new order leaves this machine, at once, whatever else works or does not.",
                        "Cancels and reduce-only orders pass. It holds through restarts until it is lifted."],
             _switch, _throw, word="STOP"),
        Kind("kill-switch.lift", "Lift the kill switch", "Lift the kill switch", Danger.SOME,
             lambda _: ["New orders leave again, as far as the trading state and limits let them."], _switch, _lift,
             asks_who=True),
        Kind("account.halt", "Halt the account", "Halt", Danger.SOME,
             lambda given: [_exposure(given), "It opens and enlarges nothing; its positions stay as they are."], _holds,
             _set_state_of_account(TradingState.HALTED), about=_ACCOUNT),
        Kind("account.reduce", "Let the account's positions only shrink", "Reduce only", Danger.SOME,
             lambda given: [_exposure(given), "It may only make positions smaller."], _holds,
             _set_state_of_account(TradingState.REDUCING), about=_ACCOUNT),
        Kind("account.activate", "Let the account trade", "Let it trade", Danger.SOME,
             lambda given: [_exposure(given), "It trades within its limits; losses count anew from now."], _holds,
             _set_state_of_account(TradingState.ACTIVE), about=_ACCOUNT),
        Kind("account.flatten", "Flatten the account", "Flatten", Danger.GREAT,
             lambda given: [_exposure(given), "All of it is closed at market, and held at zero until it is resumed."],
             _holds, _flatten, about=_ACCOUNT, word="FLATTEN"),
        Kind("account.close", "Close a position", "Close it", Danger.SOME, _closes, _holds, _close,
             about=("account", "instrument")),
        Kind("account.resume", "Resume the account", "Resume", Danger.SOME,
             lambda given: [_exposure(given), "It is held at zero no longer: its sets' next word is traded."], _holds,
             _resume, about=_ACCOUNT),
        Kind("feed.start", "Start the feed", "Start", Danger.NONE,
             lambda given: [f"Feed {given['feed']} is read again; sets that listen to it go on."], _feed,
             _run_feed(True), about=("feed",)),
        Kind("feed.stop", "Stop the feed", "Stop", Danger.SOME,
             lambda given: [f"Nothing more is read from feed {given['feed']}: sets that listen to it hear no bars."],
             _feed, _run_feed(False), about=("feed",)),
        Kind("letter.redrive", "Send the message again", "Send again", Danger.SOME,
             lambda _: ["The message is processed again, as a new one."], _letter,
             lambda given, _, __: redrive(given["context"], given["letter"]), about=_LETTER),
        Kind("letter.drop", "Give the message up", "Drop", Danger.SOME,
             lambda _: ["The message stays where it is, marked as dropped; nothing is done about it."], _letter,
             lambda given, _, __: drop(given["context"], given["letter"]), about=_LETTER),
        Kind("key.release", "Let the key go on", "Release", Danger.SOME,
             lambda given: [f"{given['context']}/{given['key']} goes on with its next message.",
                            "The message that it stopped at becomes a dead letter."],
             lambda _: {}, lambda given, _, __: release(given["context"], given["key"]), about=("context", "key")),
    )
}  # fmt: skip
