"""Risk's rules once more, in plain dictionaries and loops and whole numbers of any size.

It is told what happens in messages, as risk is, and answers in plain values: the verdict on each order, and what is
reserved. It shares nothing with risk: codes are those that docs/wire.md lists.
"""

from datetime import UTC, datetime
from enum import IntEnum
from zoneinfo import ZoneInfo

TradingState = IntEnum("TradingState", "ACTIVE REDUCING HALTED", start=0)
Level = IntEnum("Level", "GLOBAL SET ACCOUNT INSTRUMENT ACCOUNT_INSTRUMENT", start=0)
RefusalReason = IntEnum(
    "RefusalReason",
    "NONE HALTED REDUCING MAX_POSITION MAX_ORDER MAX_NOTIONAL GROSS_EXPOSURE NET_EXPOSURE LEVERAGE MARGIN "
    "ORDERS_PER_SECOND ORDERS_PER_MINUTE PRICE_COLLAR STALE_PRICE DAILY_LOSS DRAWDOWN NOT_ALLOWED DUPLICATE "
    "SESSION_CLOSED UNKNOWN_ACCOUNT NO_EQUITY WEEKLY_LOSS MONTHLY_LOSS DAILY_BALANCE_LOSS WEEKLY_BALANCE_LOSS "
    "MONTHLY_BALANCE_LOSS BALANCE_DRAWDOWN NOT_REDUCING IMPOSSIBLE",
    start=0,
)

E9 = 10**9
AMOUNT_MAX = 2**58
ORDER_LIMITS = {
    "position_steps_max",
    "order_steps_max",
    "order_notional_micro_max",
    "collar_e9_max",
    "price_age_ns_max",
}
LOSSES = {
    RefusalReason.DAILY_LOSS: ("daily_loss_e9_max", "day", "equity"),
    RefusalReason.DAILY_BALANCE_LOSS: ("daily_balance_loss_e9_max", "day", "balance"),
    RefusalReason.WEEKLY_LOSS: ("weekly_loss_e9_max", "week", "equity"),
    RefusalReason.WEEKLY_BALANCE_LOSS: ("weekly_balance_loss_e9_max", "week", "balance"),
    RefusalReason.MONTHLY_LOSS: ("monthly_loss_e9_max", "month", "equity"),
    RefusalReason.MONTHLY_BALANCE_LOSS: ("monthly_balance_loss_e9_max", "month", "balance"),
    RefusalReason.DRAWDOWN: ("drawdown_e9_max", "peak", "equity"),
    RefusalReason.BALANCE_DRAWDOWN: ("balance_drawdown_e9_max", "peak", "balance"),
}


def share(part, whole):
    return min(-(-part * E9 // whole), 2**62)


def periods_at(ns, zone):
    local = datetime.fromtimestamp(ns // E9, UTC if zone == "UTC" else ZoneInfo(zone))
    return {
        "day": local.toordinal(),
        "week": local.toordinal() - local.weekday(),
        "month": (local.year, local.month),
    }


class Account:
    def __init__(self):
        self.is_open = False
        self.state = 0
        self.stops = {}
        self.zone = "UTC"
        self.leverage_e9 = E9
        self.is_hedging = False
        self.balance = self.equity = self.margin = self.gross = self.net = 0
        self.allowed = None
        self.sent_at = []
        self.periods = {}
        self.start = {}


class Cell:
    def __init__(self):
        self.position = 0
        self.step_value = 0
        self.orders = {}

    @property
    def long(self):
        return sum(steps for steps in self.orders.values() if steps > 0)

    @property
    def short(self):
        return sum(steps for steps in self.orders.values() if steps < 0)

    def growth(self, more=0):
        long, short = self.long + max(more, 0), self.short + min(more, 0)
        sizes = abs(self.position), abs(self.position + long), abs(self.position + short)
        return max(sizes) - abs(self.position)


class PlainRisk:
    def __init__(self):
        self.accounts, self.cells, self.limits, self.decisions = {}, {}, {}, {}
        self.state, self.set_states, self.instrument_states, self.sessions = 0, {}, {}, {}
        self.quotes, self.margins = {}, {}

    # ---- settings ----

    def account(self, number):
        return self.accounts.setdefault(number, Account())

    def cell(self, account, instrument, of_short=False):
        return self.cells.setdefault((account, instrument, of_short), Cell())

    def cell_of(self, order, instrument):
        """What an order adds to or takes from: on a hedging account what is held long, or what is held short."""
        account = self.accounts[order["account"]]
        of_short = account.is_hedging and (order["steps"] < 0) != bool(order["reduce_only"])
        return self.cell(order["account"], instrument, of_short)

    def set_limits(self, limits, account=-1, instrument="", at_ns=0):
        """Return the stops (account, reason, level, bound, actual) that follow at once."""
        self.limits[account, instrument] = dict(limits)
        numbers = sorted(self.accounts) if account == -1 else [account]
        return self.stops_of([each for each in numbers if each in self.accounts and self.accounts[each].is_open], at_ns)

    def set_state(self, state, accounts=(), set_name="", instrument=""):
        for number in accounts:
            account = self.account(number)
            account.state = state
            if state == TradingState.ACTIVE:
                account.stops = {}
                for period in ("day", "week", "month", "peak"):
                    account.start[period] = {"equity": account.equity, "balance": account.balance}
        if set_name:
            self.set_states[set_name] = state
        elif instrument:
            self.instrument_states[instrument] = state
        elif not len(accounts):
            self.state = state

    def bound(self, name, account, instrument):
        levels = [(account, "", Level.ACCOUNT), (-1, "", Level.GLOBAL)]
        if name in ORDER_LIMITS:
            levels = [(account, instrument, Level.ACCOUNT_INSTRUMENT), (-1, instrument, Level.INSTRUMENT), *levels]
        for of_account, of_instrument, level in levels:
            bound = self.limits.get((of_account, of_instrument), {}).get(name, -1)
            if bound >= 0:
                return bound, level
        return None, Level.GLOBAL

    def close_only(self, number):
        if number in self.accounts and self.accounts[number].state == TradingState.ACTIVE:
            self.accounts[number].state = TradingState.REDUCING

    # ---- accounts ----

    def open(self, message):
        account = self.account(message.number)
        account.zone, account.leverage_e9 = message.time_zone, message.leverage_e9
        account.is_hedging = message.hedging
        if not account.is_open:
            account.is_open = True
            account.balance = account.equity = message.balance_micro
            for period in ("day", "week", "month", "peak"):
                account.start[period] = {"equity": account.equity, "balance": account.balance}

    def hold(self, account, instrument, steps, held_short=0):
        if account in self.accounts and self.accounts[account].is_open and abs(steps) <= 2**53:
            self.cell(account, instrument).position = steps - held_short
            if self.accounts[account].is_hedging:
                self.cell(account, instrument, of_short=True).position = held_short
        else:
            self.close_only(account)

    def value(self, at_ns, rows):
        """Return the stops (account, reason, level, bound, actual) that follow."""
        valued, bad = set(), []
        for number, balance, equity, margin, gross, net, paid_in in rows:
            account = self.accounts.get(number)
            sizes = max(abs(each) for each in (balance, equity, margin, gross, net, paid_in))
            if (
                account is None
                or not account.is_open
                or sizes > AMOUNT_MAX
                or min(margin, gross) < 0
                or abs(net) > gross
            ):
                bad.append(number)
                continue
            account.periods, account.start = self.turned(account, at_ns)
            for start in account.start.values():
                start.update({of: worth + paid_in for of, worth in start.items()})
            account.balance, account.equity, account.margin, account.gross, account.net = (
                balance, equity, margin, gross, net,
            )  # fmt: skip
            for of in ("equity", "balance"):
                account.start["peak"][of] = max(account.start["peak"][of], getattr(account, of))
            valued.add(number)
        stops = self.stops_of(sorted(valued), at_ns)
        for number in bad:
            self.close_only(number)
        return stops

    @staticmethod
    def turned(account, at_ns):
        """Return an account's periods at a time, and what losses are measured from then."""
        periods, starts = dict(account.periods), {period: dict(start) for period, start in account.start.items()}
        for period, now in periods_at(at_ns, account.zone).items():
            if period not in periods or now > periods[period]:
                periods[period] = now
                starts[period] = {"equity": account.equity, "balance": account.balance}
        return periods, starts

    def stops_of(self, numbers, at_ns):
        """Return the stops (account, reason, level, bound, actual) of those who have newly lost too much."""
        stops = []
        for number in numbers:
            account = self.accounts[number]
            periods, starts = self.turned(account, at_ns)
            for reason, (limit, period, of) in LOSSES.items():
                bound, level = self.bound(limit, number, "")
                start = starts[period][of]
                lost = start - getattr(account, of)
                if bound is None or reason in account.stops or start <= 0 or lost * E9 <= bound * start or lost <= 0:
                    continue
                account.stops[reason] = level, bound, share(lost, start), periods.get(period)
                stops.append((number, reason, level, bound, share(lost, start)))
        return stops

    def period_over(self, at_ns):
        """Return the stops (account, reason) that end."""
        lifted = []
        for number, account in self.accounts.items():
            for reason in list(account.stops):
                period = LOSSES[reason][1]
                if period != "peak" and periods_at(at_ns, account.zone)[period] > account.stops[reason][3]:
                    del account.stops[reason]
                    lifted.append((number, reason))
        return lifted

    # ---- orders ----

    def cut(self, account, instrument, decision, left):
        sides = [self.cell(account, instrument, of_short).orders for of_short in (False, True)]
        orders = sides[1] if decision in sides[1] else sides[0]
        held = orders.get(decision, 0)
        if held * left < 0:
            self.close_only(account)
        elif abs(left) < abs(held):
            orders[decision] = left
            if left == 0:
                del orders[decision]

    def reserved(self, number):
        """Return (gross, long, short, margin) that an account's open orders reserve, in micro."""
        found = [0, 0, 0, 0]
        for (account, instrument, _), cell in self.cells.items():
            if account == number:
                gross = cell.growth() * cell.step_value
                found[0] += gross
                found[1] += cell.long * cell.step_value
                found[2] += cell.short * cell.step_value
                found[3] += -(-gross * self.margin_rate(number, instrument) // E9)
        return tuple(found)

    def margin_rate(self, account, instrument):
        of_account = -(-E9 * E9 // max(self.accounts[account].leverage_e9, E9))
        return max(of_account, self.margins.get(instrument, 0))

    def check(self, wanted, received_at_ns, event_time_ns):
        """Return (account, instrument, decision, reason, level, bound, actual) of each order, in order."""
        for at, terms in enumerate(wanted.terms):
            bid, ask = int(wanted.bid_ticks[at]), int(wanted.ask_ticks[at])
            if self.terms_are_possible(terms, bid, ask):
                self.margins[terms.id] = terms.margin_e9
                at_ns = self.quoted_at(wanted, at)
                if bid and ask and at_ns >= self.quotes.get(terms.id, (0,))[0]:
                    self.quotes[terms.id] = at_ns, bid, ask

        def column(name, row):
            values = getattr(wanted, name)
            return int(values[row]) if values.size else 0

        verdicts, parked = [], []
        for row in range(wanted.account.size):
            order = {
                name: column(name, row)
                for name in (
                    "account", "instrument", "decision", "steps", "step_value_micro", "order_type", "limit_ticks",
                    "stop_ticks", "reduce_only",
                )
            }  # fmt: skip
            index = order["instrument"]
            terms = wanted.terms[index]
            possible = self.terms_are_possible(terms, int(wanted.bid_ticks[index]), int(wanted.ask_ticks[index]))
            times = received_at_ns - self.quoted_at(wanted, index), event_time_ns
            shares = zip(wanted.share_order.tolist(), wanted.share_book.tolist(), strict=True)
            sets = [wanted.books[book] for of, book in shares if of == row] or [wanted.set]
            if possible and order_is_possible(order):
                found = self.judge(order, terms.id, sets, times)
            else:
                found = RefusalReason.IMPOSSIBLE, Level.ACCOUNT_INSTRUMENT, 0, 0
            key = order["account"], terms.id, order["decision"]
            verdicts.append((*key, *map(int, found)))
            if found[0] == RefusalReason.IMPOSSIBLE:
                parked.append(order["account"])
                continue
            if found[0] == RefusalReason.UNKNOWN_ACCOUNT:
                continue
            cell, place = self.cell_of(order, terms.id), (order["account"], terms.id)
            self.decisions[place] = max(self.decisions.get(place, 0), order["decision"])
            if found[0] == RefusalReason.NONE:
                cell.orders[order["decision"]] = order["steps"]
                cell.step_value = order["step_value_micro"]
                self.accounts[order["account"]].sent_at.append(event_time_ns)
        for number in parked:
            self.close_only(number)
        return verdicts

    @staticmethod
    def quoted_at(wanted, instrument):
        told = wanted.quoted_at_ns
        return min(int(told[instrument]), wanted.decided_at_ns) if len(told) else wanted.decided_at_ns

    @staticmethod
    def terms_are_possible(terms, bid, ask):
        return 0 <= terms.margin_e9 <= E9 and 0 <= bid <= 2**53 and 0 <= ask <= 2**53

    def judge(self, order, instrument, sets, times):
        number, steps = order["account"], order["steps"]
        account = self.accounts.get(number)
        if account is None or not account.is_open:
            return RefusalReason.UNKNOWN_ACCOUNT, Level.ACCOUNT, 0, abs(steps)
        cell, last = self.cell_of(order, instrument), self.decisions.get((number, instrument), 0)
        if order["decision"] <= last:
            return RefusalReason.DUPLICATE, Level.ACCOUNT_INSTRUMENT, last, order["decision"]
        if not self.fits(number, cell, order):
            return RefusalReason.IMPOSSIBLE, Level.ACCOUNT_INSTRUMENT, 0, 0
        room = -(cell.position + cell.long) if steps > 0 else cell.position + cell.short
        room = max(room, 0)
        if order["reduce_only"]:
            if abs(steps) > room:
                return RefusalReason.NOT_REDUCING, Level.ACCOUNT_INSTRUMENT, room, abs(steps)
            return RefusalReason.NONE, 0, 0, 0
        rules = (
            self.state_rule(account, instrument, sets, room, abs(steps)),
            self.place_rule(account, instrument, abs(steps), times[1]),
            self.price_rule(order, instrument, times[0], room),
            self.size_rule(order, instrument, cell),
            self.money_rule(order, instrument, cell, account, room),
            self.rate_rule(number, account, times[1]),
        )
        return next((found for found in rules if found), (RefusalReason.NONE, 0, 0, 0))

    def fits(self, number, cell, order):
        long, short = cell.long + max(order["steps"], 0), cell.short + min(order["steps"], 0)
        value = order["step_value_micro"]
        reserved = self.reserved(number)
        others = reserved[1] - reserved[2] - (cell.long - cell.short) * cell.step_value
        return max(long, -short) <= AMOUNT_MAX // value and others + (long - short) * value <= AMOUNT_MAX

    def state_rule(self, account, instrument, sets, room, size):
        states = (
            (self.state, Level.GLOBAL),
            (max(self.set_states.get(each, 0) for each in sets), Level.SET),
            (account.state, Level.ACCOUNT),
            (self.instrument_states.get(instrument, 0), Level.INSTRUMENT),
        )
        strictest = max(state for state, _ in states)
        level = next(level for state, level in states if state == strictest)
        if strictest == TradingState.HALTED:
            return RefusalReason.HALTED, level, 0, size
        if size <= room:
            return None
        if strictest == TradingState.REDUCING:
            return RefusalReason.REDUCING, level, room, size
        for reason in LOSSES:
            if reason in account.stops:
                return reason, *account.stops[reason][:3]
        return None

    def place_rule(self, account, instrument, size, at_ns):
        if account.allowed is not None and instrument not in account.allowed:
            return RefusalReason.NOT_ALLOWED, Level.ACCOUNT, 0, size
        if instrument not in self.sessions:
            return None
        zone, windows = self.sessions[instrument]
        local = datetime.fromtimestamp(at_ns // E9, ZoneInfo(zone))
        minute = local.weekday() * 1440 + local.hour * 60 + local.minute
        for opens, closes in windows:
            inside = set(range(opens, closes)) if opens < closes else {*range(opens, 10080), *range(closes)}
            if minute in inside:
                return None
        return RefusalReason.SESSION_CLOSED, Level.INSTRUMENT, 0, minute

    def price_rule(self, order, instrument, age_ns, room):
        bound, level = self.bound("price_age_ns_max", order["account"], instrument)
        if bound is not None and age_ns > bound and abs(order["steps"]) > room:
            return RefusalReason.STALE_PRICE, level, bound, age_ns
        bound, level = self.bound("collar_e9_max", order["account"], instrument)
        prices = {0: (), 1: ("limit_ticks",), 2: ("stop_ticks",), 3: ("limit_ticks", "stop_ticks")}[order["order_type"]]
        if bound is None or not prices:
            return None
        _, bid, ask = self.quotes.get(instrument, (0, 0, 0))
        quote = ask if order["steps"] > 0 else bid
        if quote <= 0:
            return RefusalReason.PRICE_COLLAR, level, bound, -1
        away = max(abs(order[name] - quote) for name in prices)
        return (RefusalReason.PRICE_COLLAR, level, bound, share(away, quote)) if share(away, quote) > bound else None

    def size_rule(self, order, instrument, cell):
        steps = order["steps"]
        position = cell.position + cell.long + steps if steps > 0 else -(cell.position + cell.short + steps)
        for limit, reason, actual in (
            ("order_steps_max", RefusalReason.MAX_ORDER, abs(steps)),
            ("order_notional_micro_max", RefusalReason.MAX_NOTIONAL, abs(steps) * order["step_value_micro"]),
            ("position_steps_max", RefusalReason.MAX_POSITION, position),
        ):
            bound, level = self.bound(limit, order["account"], instrument)
            if bound is not None and actual > bound:
                return reason, level, bound, actual
        return None

    def money_rule(self, order, instrument, cell, account, room):
        number, steps, value = order["account"], order["steps"], order["step_value_micro"]
        if account.equity <= 0 and abs(steps) > room:
            return RefusalReason.NO_EQUITY, Level.ACCOUNT, 0, account.equity
        reserved = self.reserved(number)
        growth, rate = cell.growth(steps), self.margin_rate(number, instrument)
        mine = cell.growth() * cell.step_value
        gross = account.gross + reserved[0] - mine + growth * value
        long = account.net + reserved[1] - cell.long * cell.step_value + (cell.long + steps) * value
        short = account.net + reserved[2] - cell.short * cell.step_value + (cell.short + steps) * value
        margin = account.margin + reserved[3] + (-(-mine * rate // E9)) * -1 + -(-growth * value * rate // E9)
        grows = growth > cell.growth()
        rules = [
            ("gross_micro_max", RefusalReason.GROSS_EXPOSURE, gross, grows),
            ("net_micro_max", RefusalReason.NET_EXPOSURE, long if steps > 0 else -short, True),
        ]
        if account.equity > 0:
            rules += [
                ("leverage_e9_max", RefusalReason.LEVERAGE, share(gross, account.equity), grows),
                ("margin_e9_max", RefusalReason.MARGIN, share(margin, account.equity), grows),
            ]
        for limit, reason, actual, applies in rules:
            bound, level = self.bound(limit, number, "")
            if applies and bound is not None and actual > bound:
                return reason, level, bound, actual
        return None

    def rate_rule(self, number, account, at_ns):
        for limit, reason, bucket_ns in (
            ("orders_per_second_max", RefusalReason.ORDERS_PER_SECOND, E9 // 10),
            ("orders_per_minute_max", RefusalReason.ORDERS_PER_MINUTE, 6 * E9),
        ):
            bound, level = self.bound(limit, number, "")
            # An order that comes late counts as one of the newest time before it.
            newest, sent = 0, []
            for each in account.sent_at:
                newest = max(newest, each // bucket_ns)
                sent.append(newest)
            bucket = max(at_ns // bucket_ns, newest)
            count = 1 + sum(1 for each in sent if each > bucket - 11)
            if bound is not None and count > bound:
                return reason, level, bound, count
        return None


def order_is_possible(order):
    priced = {0: (), 1: ("limit_ticks",), 2: ("stop_ticks",), 3: ("limit_ticks", "stop_ticks")}
    return (
        0 < abs(order["steps"]) <= 2**53
        and order["decision"] > 0
        and 0 < order["step_value_micro"] <= AMOUNT_MAX
        and order["order_type"] in priced
        and all(0 < order[name] <= 2**53 for name in priced[order["order_type"]])
    )
