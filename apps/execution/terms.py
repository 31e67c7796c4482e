"""What execution has to know of instruments and sets, asked of the contexts that own them."""

from apps.execution.contracts import ConfigureSet, InstrumentTerms
from apps.execution.interface import level_of_followers
from apps.feeds.interface import get_instrument
from apps.signals.contracts import DefineSet
from apps.signals.interface import get_set
from trading.instruments import Instrument


def terms_of(instrument_id: str) -> InstrumentTerms:
    """Return an instrument's terms. Raises InstrumentNotFound."""
    return terms_from(get_instrument(instrument_id))


def terms_from(instrument: Instrument) -> InstrumentTerms:
    """Return the terms of an instrument that has a tick and a lot step."""
    step = instrument.lot_step
    return InstrumentTerms(
        id=instrument.id,
        currency=instrument.currency,
        tick_e9=round(instrument.tick_size * 1e9),
        lot_step_e9=round(step * 1e9),
        lot_min_steps=max(1, round(instrument.lot_min / step)),
        contract_e9=round(instrument.contract_size * 1e9),
        margin_e9=round(instrument.margin_rate * 1e9),
    )


def configured(name: str) -> ConfigureSet:
    """Return the terms of all that a set trades or converts by. Raises SetError and InstrumentNotFound."""
    return configured_as(get_set(name))


def configured_as(found: DefineSet) -> ConfigureSet:
    """Return the terms of all that a set trades or converts by that is defined so, and what is set for its followers.

    Raises InstrumentNotFound.
    """
    instruments = sorted({channel.instrument for member in found.members for channel in member.channels})
    pairs = sorted({channel.instrument for channel in found.conversions} - set(instruments))
    return ConfigureSet(
        set=found.set,
        terms=[terms_of(each) for each in instruments],
        conversions=[terms_of(each) for each in pairs],
        **level_of_followers(found.set),
    )
