"""Strategy sets as people and other contexts see them: defined, started, paused, listed."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from django.conf import settings
from django.utils.module_loading import import_string

from apps.feeds.interface import feed_of, get_instrument
from apps.signals.contracts import ChannelSpec, DefineSet, MemberSpec, RunSet
from apps.signals.errors import SetError
from apps.signals.interface import NewMember
from apps.signals.listening import say_who_listens
from apps.signals.models import StrategySet
from apps.signals.registry import get_strategy
from apps.signals.state import members_of
from banyan.clock import Clock, SystemClock
from banyan.codec import encode_message
from banyan.ids import derive
from banyan.kafka.topics import RESERVED
from banyan.messages import Message
from banyan.store import Store
from banyan.transport import Command, ask
from trading.instruments import Instrument, base_currency
from trading.intervals import DAY, parse_interval
from trading.metrics.definitions import HOURS_PER_SESSION, periods_per_year
from trading.sessions import days_per_week, session_days

ALIAS = "signals"
_A_WEEK = np.arange(1_704_664_800, 1_705_096_800, 3600) * 10**9  # hours of foreign exchange, from Sunday 17:00 New York
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def define_set(
    name: str, members: Sequence[NewMember], *, conversions: Sequence[tuple[str, str]] = (), grace_seconds: float = 1.0,
    warms_up: bool = True, clock: Clock | None = None,
) -> DefineSet:  # fmt: skip
    """Define a set, or replace it. One that was never started hears of it when it is.

    Its strategies are warmed up with the bars before the first that they get, unless `warms_up` is false. The closes of
    `conversions`, pairs of currencies as (instrument, interval), are rates for accounts in other currencies.

    Return what the set is. Raises SetError, StrategyError, UnknownStrategyError, StrategyParameterError and
    InstrumentNotFound.
    """
    if not _NAME.fullmatch(name):
        raise SetError(f"set {name!r}: a name has 1 to 64 small letters, digits, dots, dashes and underscores")
    if name in RESERVED:
        raise SetError(f"set {name}: that is the name of a topic of all sets in Kafka; give it another one")
    specs = [_spec(name, member) for member in members]
    members_of(specs)
    message = DefineSet(
        set=name,
        members=specs,
        grace_ns=round(grace_seconds * 1e9),
        warms_up=warms_up,
        conversions=[_conversion(name, *each) for each in conversions],
    )
    listened = [*message.conversions, *(channel for spec in specs for channel in spec.channels)]
    feeds = sorted({feed_of(channel.instrument) for channel in listened})
    definition: Any = msgspec.to_builtins(message)
    import_string(settings.SETS_TOLD)(message)  # before the set itself: a target of what nobody knows is lost
    found, _ = StrategySet.objects.using(ALIAS).update_or_create(
        id=name, defaults={"feeds": feeds, "definition": definition}
    )
    if found.is_started and not found.parked_because:
        _send(name, message, clock)
        say_who_listens(name, feeds)
    return message


def start_set(name: str, clock: Clock | None = None) -> None:
    """Let a set give targets. Raises SetError where there is no such set.

    One that was parked begins anew, as it is defined now: what it has missed it could only follow too late.
    """
    found = _found(name)
    if not found.is_started or found.parked_because:
        _send(name, msgspec.convert(found.definition, DefineSet), clock)
    _send(name, RunSet(set=name, is_running=True), clock)
    StrategySet.objects.using(ALIAS).filter(id=name).update(is_started=True, is_paused=False, parked_because="")
    say_who_listens(name, found.feeds)


def pause_set(name: str, clock: Clock | None = None) -> None:
    """Let a set only follow its bars. Raises SetError where there is no such set, or it gives no targets anyway."""
    found = _found(name)
    if not found.is_started:
        raise SetError(f"set {name} was never started")
    if found.parked_because:
        raise SetError(f"set {name} is parked and gives no targets: {found.parked_because}")
    _send(name, RunSet(set=name, is_running=False), clock)
    StrategySet.objects.using(ALIAS).filter(id=name).update(is_paused=True)


def get_set(name: str) -> DefineSet:
    """Return a set as it was defined last. Raises SetError where there is none."""
    return msgspec.convert(_found(name).definition, DefineSet)


def _found(name: str) -> StrategySet:
    found = StrategySet.objects.using(ALIAS).filter(id=name).first()
    if found is None:
        known = ", ".join(StrategySet.objects.using(ALIAS).values_list("id", flat=True)[:10]) or "none yet"
        raise SetError(f"there is no set {name}; there are: {known}. `manage.py sets define --help`")
    return found


def _spec(name: str, member: NewMember) -> MemberSpec:
    channels = [_channel(name, *each) for each in member.channels]
    if not 0.0 < member.share <= 1.0:
        raise SetError(f"set {name}: {member.strategy} has a share of {member.share:g}, which is not above 0 to 1")
    return MemberSpec(
        strategy=member.strategy,
        code_hash=get_strategy(member.strategy).code_hash,
        parameters=member.parameters,
        channels=channels,
        share_e9=round(member.share * 1e9),
    )


def _conversion(name: str, instrument_id: str, interval: str) -> ChannelSpec:
    instrument = get_instrument(instrument_id)
    if not base_currency(instrument.id, instrument.currency):
        raise SetError(
            f"set {name}: {instrument.id} is no pair of currencies, so no rate follows from it: the symbol of a pair "
            f"ends with the currency that it is quoted in, as EUR{instrument.currency} would"
        )
    return _channel(name, instrument_id, interval)


def _channel(name: str, instrument_id: str, interval: str) -> ChannelSpec:
    instrument = get_instrument(instrument_id)
    if not instrument.tick_size > 0.0 or not instrument.lot_step > 0.0:
        raise SetError(f"set {name}: {instrument.id} has no tick or lot step, so it cannot be traded live")
    tick_e9 = round(instrument.tick_size * 1e9)
    interval_ns = parse_interval(interval)
    return ChannelSpec(
        instrument=instrument.id,
        interval_ns=interval_ns,
        tick_e9=tick_e9,
        bars_per_year=_bars_per_year(instrument, interval_ns),
    )


def _bars_per_year(instrument: Instrument, interval_ns: int) -> float:
    """Return how many bars a year has, 0 where nobody knows how long the sessions of the calendar are."""
    if interval_ns < DAY and instrument.calendar not in HOURS_PER_SESSION:
        return 0.0
    week = days_per_week(np.unique(session_days(_A_WEEK, instrument)))
    return periods_per_year(instrument.calendar, interval_ns, "bar", week)


def _send(name: str, message: Message, clock: Clock | None) -> None:
    now_ns = (clock or SystemClock()).wall_ns()
    store = Store(ALIAS)
    message_id = derive(message.wire_name, name, encode_message(message).decode(), now_ns)
    ask(store, [Command(name, message, message_id)], now_ns)
    store.close()
