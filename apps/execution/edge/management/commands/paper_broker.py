"""`manage.py paper_broker`: a broker that trades on paper, as a process of its own."""

import signal
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.execution.paper.broker import FREE, Options
from apps.execution.paper.faults import read_faults
from apps.execution.paper.ledger import LedgerError
from apps.execution.paper.server import Server
from banyan import commands
from banyan.clock import SystemClock, VirtualClock


class Command(commands.Command):
    """Serve a paper broker on a Unix socket until told to stop."""

    help = "Run a paper broker, with its ledger in a folder and its socket beside it. Killing it loses nothing."
    examples = """
  manage.py paper_broker
  manage.py paper_broker --slippage-bps 0.5 --faults '{"seed": 1, "reject": 0.01}'"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where it is, how it trades and what it does wrong."""
        parser.add_argument("--folder", type=Path, help="where its ledger is (default: paper/ in the data folder)")
        parser.add_argument("--socket", type=Path, help="its Unix socket (default: socket in its folder)")
        parser.add_argument(
            "--at-next", action="store_true", help="fill market orders at the next prices, not at those there are"
        )
        parser.add_argument(
            "--time-of-prices", action="store_true", help="take its time from the prices: for replays that keep theirs"
        )
        parser.add_argument(
            "--not-idempotent", action="store_true", help="take an order again whose client order id is known"
        )
        parser.add_argument("--fee-minimum", type=float, default=0.0, help="least fee of a fill, in account currency")
        parser.add_argument("--fee-lot", type=float, default=0.0, help="fee per lot, in account currency")
        parser.add_argument("--slippage-bps", type=float, default=0.0, help="slippage of market and stop orders")
        parser.add_argument(
            "--orders-per-second", type=int, metavar="N", help="reject orders of a session beyond so many (0: none)"
        )
        parser.add_argument(
            "--orders-per-second-per-account", type=int, metavar="N", help="reject orders of an account beyond so many"
        )
        parser.add_argument("--faults", default="{}", help='what to do wrong, as JSON: {"seed": 1, "reject": 0.01}')

    def run(self, **options: Any) -> None:
        """Serve. Raises CommandError when the ledger cannot be used or the faults are none."""
        folder = options["folder"] or settings.PAPER_DIR
        costs = FREE._replace(
            fee_minimum=options["fee_minimum"], fee_lot=options["fee_lot"], slip_rate=options["slippage_bps"] / 1e4
        )
        moved = VirtualClock() if options["time_of_prices"] else None
        rates = [options["orders_per_second"], options["orders_per_second_per_account"]]
        if any(each is not None and each < 0 for each in rates):
            raise CommandError("--orders-per-second and --orders-per-second-per-account are 0 (any number) or more")
        per_session, per_account = (
            of_settings if each is None else each for each, of_settings in zip(rates, settings.PAPER_RATES, strict=True)
        )
        chosen = Options(
            at_next=options["at_next"], is_idempotent=not options["not_idempotent"], costs=costs, clock=moved,
            orders_per_second_max=per_session, orders_per_second_per_account_max=per_account,
        )  # fmt: skip
        address = options["socket"] or folder / "socket"
        try:
            server = Server(folder, address, chosen, read_faults(options["faults"]), moved or SystemClock())
        except LedgerError as problem:
            raise CommandError(str(problem)) from None
        except msgspec.DecodeError as problem:
            raise CommandError(f"--faults: {problem}") from None
        server.stop_on(signal.SIGTERM, signal.SIGINT)
        self.say(f"Ready: {address}")
        self.stdout.flush()
        server.serve()
        server.close()
