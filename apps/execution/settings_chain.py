"""The settings that hold for a line: what its set says, unless its subscription does, unless its account does."""

from collections.abc import Iterator
from typing import Any

from apps.execution.book_contracts import NUMBERED, ConfigureAccount, Level, effective
from apps.execution.contracts import ConfigureSet, Subscribe
from apps.execution.state import ShardState
from apps.execution.tables import NULL
from trading.sizing import ALL_IN, EQUAL, FIXED_LOTS, KELLY, PERCENT, RISK, VOLATILITY, WEIGHTS

RULES = {
    "all-in": ALL_IN,
    "weights": WEIGHTS,
    "equal": EQUAL,
    "percent": PERCENT,
    "lots": FIXED_LOTS,
    "risk": RISK,
    "vol": VOLATILITY,
    "kelly": KELLY,
}
PERCENTAGES = ("percent", "risk", "vol")
JOINS = ("converge", "next-change")
BELOW_MINS = ("skip", "round-up")


def refusal_of(given: Level) -> str:
    """Return what is wrong with settings, "" if nothing is."""
    if given.sizing and (problem := _wrong_with_sizing(given)):
        return problem
    if given.below_min and given.below_min not in BELOW_MINS:
        return f"below_min={given.below_min!r}: choose one of {', '.join(BELOW_MINS)}"
    if isinstance(given, Subscribe):
        if given.join not in JOINS:
            return f"join={given.join!r}: choose one of {', '.join(JOINS)}"
        if not given.allocation_e9 > 0:
            return f"allocation_e9={given.allocation_e9}: must be above 0"
        traded = list(given.symbols.values())
        if len(set(traded)) < len(traded):
            return "symbols: two instruments of the set would be traded as the same one"
    return ""


def _wrong_with_sizing(given: Level) -> str:
    if given.sizing not in RULES:
        return f"sizing={given.sizing!r}: choose one of {', '.join(RULES)}"
    if given.sizing in NUMBERED and given.sizing_number_e9 <= 0:
        return f"sizing={given.sizing!r}: it takes a number above 0, such as {NUMBERED[given.sizing]}"
    return ""


def apply_settings(state: ShardState, set_name: str, account: int | None = None) -> None:
    """Give all lines of a set, or those of one account, the settings that hold for them; add lines that are missing."""
    configured = state.sets.get(set_name)
    if configured is None:
        return
    for (number, name), subscription in state.subscriptions.items():
        if name == set_name and account in (None, number):
            _apply(state, configured, subscription, state.account_settings.get(number))


def sets_of(state: ShardState, account: int) -> Iterator[str]:
    """Yield the sets that an account follows."""
    for number, name in list(state.subscriptions):
        if number == account:
            yield name


def _apply(state: ShardState, configured: ConfigureSet, of: Subscribe, by: ConfigureAccount | None) -> None:
    book = state.books.of(configured.set)
    row = state.row_of[of.account]
    for terms in configured.terms:
        source = state.instrument(terms.id)
        traded = state.instrument(of.symbols.get(terms.id, terms.id))
        before = state.lines.count
        at = state.line(state.cell(row, traded), book, source)
        line = state.lines.rows[at]
        is_new = at == before or line.source != source or not (line.active or line.multiplier)
        state.follow(at, source)
        if is_new:
            target = state.target_of.get((book, source))
            line.waits = of.join == "next-change"
            line.seen_version = state.targets.rows[target].version if line.waits and target is not None else 0
        _settle(line, terms.id, configured, of, by)


def maps_anew(state: ShardState, wanted: Subscribe) -> bool:
    """Tell whether an account follows a set already, and trades other instruments in place of the set's from now on."""
    known = state.subscriptions.get((wanted.account, wanted.set))
    return known is not None and known.symbols != wanted.symbols


def let_go(state: ShardState, of: Subscribe) -> None:
    """Let a subscription's book want nothing of what is not traded in place of any instrument any more."""
    book, names = state.books.known(of.set), state.instruments.names
    cell = int(state.accounts.rows[state.row_of[of.account]].first_cell)
    while cell != NULL:
        at = state.line_of(cell, book)
        if at != NULL:
            line = state.lines.rows[at]
            source = names[line.source]
            if names[line.instrument] != of.symbols.get(source, source):
                line.working, line.active, line.multiplier = 0, 0, 0.0  # so that no later target opens it again
                state.apart.due.discard(at)
        cell = int(state.cells.rows[cell].next_cell)


def _settle(line: Any, instrument: str, configured: ConfigureSet, of: Subscribe, by: ConfigureAccount | None) -> None:
    chain = (configured, of, by)
    rule, _ = effective(chain, "sizing", "")
    number, number_level = effective(chain, "sizing_number_e9", -1)
    assert number_level  # a set says all
    line.active = of.is_active
    line.allocation = of.allocation_e9 / 1e9
    line.rule = RULES[rule]
    line.number = number / 1e9 / (100.0 if rule in PERCENTAGES else 1.0)
    line.channels = len(configured.terms)
    line.multiplier = effective(chain, "multiplier_e9", -1)[0] / 1e9
    line.lots_max = effective(chain, "lots_max_e9", -1)[0] / 1e9
    below_min, line.min_level = effective(chain, "below_min", "")
    line.round_up = below_min == "round-up"
    line.reverse = effective(chain, "reverse", None)[0]
    line.close_only, line.close_level = effective(chain, "close_only", None)
    allowed, line.allowed_level = effective((None, of, by), "instruments", None)
    line.allowed = allowed is None or instrument in allowed
