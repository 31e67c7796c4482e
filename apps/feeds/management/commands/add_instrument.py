"""`manage.py add_instrument`: an instrument of your own."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError

from apps.feeds.calendars import check_calendar
from apps.feeds.models import Instrument
from apps.feeds.series import find_instrument
from banyan import commands

_FIELDS = {
    "asset_class": (str, "equity, fx, crypto, index, commodity, future or unknown"),
    "currency": (str, "in which prices are quoted"),
    "tick_size": (float, "smallest step of a price; 0: none"),
    "lot_step": (float, "smallest step of a quantity, in lots; 0: fractions"),
    "lot_min": (float, "smallest quantity, in lots"),
    "contract_size": (float, "units in one lot"),
    "margin_rate": (float, "least share of notional held as margin; 0: the account's leverage alone decides"),
    "calendar": (str, "24x7, 24x5 or an exchange's ISO 10383 code such as XNYS"),
    "time_zone": (str, "IANA zone in which the session day turns"),
    "day_turn_minutes": (int, "when it turns, in minutes after local midnight; -420: at 17:00 the day before"),
}


class Command(commands.Command):
    """Add or change an instrument."""

    help = "Add an instrument of your own, or change what is given of one that is there."
    examples = """
  manage.py add_instrument OANDA:GBPUSD --like OANDA:EURUSD
  manage.py add_instrument BINANCE:BTCUSDT --asset-class crypto --currency USDT --tick-size 0.01 --lot-step 0.00001"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the id and the fields."""
        parser.add_argument("id", metavar="VENUE:SYMBOL", help="where it trades, and its name there")
        parser.add_argument("--like", metavar="ID", help="take what is not given from this instrument")
        for name, (kind, text) in _FIELDS.items():
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                type=kind,
                metavar="NUMBER" if kind in (int, float) else "TEXT",
                help=text,
            )

    def run(self, **options: Any) -> None:
        """Store the instrument."""
        identifier = options["id"].upper()
        stored = Instrument.objects.filter(pk=identifier).first()
        instrument = stored or Instrument(id=identifier)
        if options["like"]:
            like = find_instrument(options["like"])
            for name in _FIELDS:
                setattr(instrument, name, getattr(like, name))
        for name in _FIELDS:
            if options[name] is not None:
                setattr(instrument, name, options[name])
        try:
            instrument.full_clean(validate_unique=False)
        except ValidationError as error:
            raise commands.UsageError("; ".join(error.messages)) from error
        check_calendar(instrument.calendar)
        instrument.save()
        self.say(f"{instrument} is {'changed' if stored else 'added'}.")
