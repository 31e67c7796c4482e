"""What is in a strategy set, as one line of text that an address can hold: "ema_cross OANDA:EURUSD@1h 0.5 fast=10".

Of each member the strategy, its channels (joined by commas), its share and its parameters; members are parted by
semicolons.
"""

from collections.abc import Collection, Iterable, Mapping

from apps.signals.interface import NewMember, SetError, get_strategy, list_strategies
from trading.intervals import IntervalError, format_interval, parse_interval


def members_written(members: Iterable[NewMember]) -> str:
    """Return members as one line."""
    return "; ".join(
        " ".join(
            [
                each.strategy,
                ",".join(f"{instrument}@{interval}" for instrument, interval in each.channels),
                f"{each.share:g}",
                *(f"{name}={value}" for name, value in each.parameters.items()),
            ]
        )
        for each in members
    )


def members_read(text: str, present: Collection[str] = ()) -> list[NewMember]:
    """Return the members that a line says. Raises SetError, StrategyError and StrategyParameterError."""
    return [_read(each.strip(), present) for each in text.split(";") if each.strip()]


def member_of(
    strategy: str, channels: str, share: str, parameters: Mapping[str, str], present: Collection[str] = ()
) -> NewMember:
    """Return a member from what was typed. Raises SetError, StrategyError and StrategyParameterError.

    A strategy that is no shipped one must be among `present`: whoever may act here may not name files to run.
    """
    if strategy not in list_strategies() and strategy not in present:
        raise SetError(f"{strategy!r} is no shipped strategy; one of a file is put in by `manage.py sets define`")
    if not channels.strip(","):
        raise SetError(f"{strategy}: say what it trades, such as OANDA:EURUSD@1h")
    try:
        part = float(share)
    except ValueError:
        raise SetError(f"{strategy}: a share of {share!r} is no number above 0 to 1") from None
    chosen = get_strategy(strategy)
    parsed = {name: chosen.parse(name, value) for name, value in parameters.items()}
    chosen.bind(**parsed)
    return NewMember(strategy, [_channel(strategy, each) for each in channels.split(",") if each], parsed, part)


def _read(text: str, present: Collection[str]) -> NewMember:
    parts = text.split()
    if len(parts) < 3 or any("=" not in each for each in parts[3:]):
        raise SetError(f"{text!r} is no member of a set: write STRATEGY CHANNEL,… SHARE NAME=VALUE …")
    return member_of(parts[0], parts[1], parts[2], dict(each.split("=", 1) for each in parts[3:]), present)


def _channel(strategy: str, text: str) -> tuple[str, str]:
    instrument, at, interval = text.strip().rpartition("@")
    if not at or not instrument:
        raise SetError(f"{strategy}: {text.strip()!r} is no channel such as OANDA:EURUSD@1h")
    try:
        return instrument, format_interval(parse_interval(interval))
    except IntervalError as error:
        raise SetError(f"{strategy}: {instrument}: {error}") from None
