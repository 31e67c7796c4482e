"""What counts for an account and in an instrument, in words, as risk's logs say it."""

from typing import Any

from apps.execution.interface import numbers_by_shard
from apps.feeds.interface import get_instrument
from apps.risk import reading
from apps.risk.contracts import Level, TradingState
from apps.risk.state import RiskState
from apps.risk.words import WORDS, limits_in_words, window_in_words


def in_force(account: str, instrument: str) -> dict[str, Any]:
    """Return what counts for an account ("": any) and an instrument ("": any). Raises AccountError."""
    shard, number = place_of(account)
    with reading.kept_state(shard) as state:
        return limits_in_force(state, account, number, instrument)


def limits_in_force(state: RiskState, account: str, number: int, instrument: str) -> dict[str, Any]:
    """Return what counts for an account (number -1: any) and an instrument ("": any)."""
    names = {
        Level.GLOBAL: "all", Level.ACCOUNT: account, Level.INSTRUMENT: instrument,
        Level.ACCOUNT_INSTRUMENT: f"{account} in {instrument}",
    }  # fmt: skip
    step_e9 = lot_step_e9(instrument)
    narrowest: dict[str, dict[str, str]] = {}
    for level, limits in reading.limits_by_level(state, number, instrument):
        for name, value in limits_in_words(limits, step_e9).items():
            narrowest[name] = {"limit": name, "value": value, "set_for": names[level]}
    states = {"all": state.trading_state, **{f"set {name}": each for name, each in state.set_states.items()}}
    if number >= 0:
        states[account] = reading.account_state(state, number)
    states |= {name: each for name, each in reading.instrument_states(state) if instrument in ("", name)}
    told: dict[str, Any] = {
        "trading_state": {whose: TradingState(each).name.lower() for whose, each in states.items() if each},
        "limits": [narrowest[name] for name in WORDS if name in narrowest],
        "sessions": {
            name: f"{', '.join(map(window_in_words, each.windows)) or 'never'} ({each.time_zone})"
            for name, each in sorted(state.sessions.items())
            if instrument in ("", name)
        },
    }
    if number >= 0:
        told["stopped_by"] = [each.name.lower().replace("_", "-") for each in reading.stops_of(state, number)]
        told["allowed"] = reading.allowed_for(state, number)
    return told


def place_of(account: str) -> tuple[str, int]:
    """Return the shard and the number of an account; where none is given, any shard and -1."""
    shard, numbers = numbers_by_shard([account] if account else [])[0]
    return shard, numbers[0] if numbers else -1


def lot_step_e9(instrument: str) -> int | None:
    """Return the lot step of an instrument in billionths of a lot, None where it has none, or none is given."""
    return round(get_instrument(instrument).lot_step * 1e9) or None if instrument else None
