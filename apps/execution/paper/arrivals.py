"""Orders and cancels as they arrive at the paper broker: read from their columns and judged, all rows at once."""

from typing import NamedTuple

import numpy as np

from apps.execution.contracts import ReportKind
from apps.execution.growing import ID_BYTES, Ids, first_of_each
from apps.execution.kernels.paper import ORDER_DTYPE, WORKING
from apps.execution.kernels.paper_tickets import PROTECTIVE
from apps.execution.packed import PackedError, unpack
from apps.execution.paper.answers import refusals
from apps.execution.paper.book import Book, Rows
from apps.execution.paper.faults import Dice
from apps.execution.paper.protocol import Cancel, Code, Query, Reports, Submit
from banyan.columns import Ints
from trading.targets import GTD, LIMIT, MARKET, STOP, STOP_LIMIT


class Arrivals(NamedTuple):
    """New orders with their ids, the rows of those that were known already, and the answer to accounts nobody has."""

    orders: Rows
    ids: Ids
    known: Ints
    strangers: Reports | None


def read_ids(request: Submit | Cancel | Query) -> Ids:
    """Return the client order ids of a request. Raises PackedError where they are not as many as its rows."""
    if len(request.client_ids) != ID_BYTES * request.rows:
        raise PackedError(f"{len(request.client_ids)} bytes are not {request.rows} client order ids")
    return np.frombuffer(request.client_ids, f"S{ID_BYTES}")


def arrivals(book: Book, request: Submit, now_ns: int, is_idempotent: bool) -> Arrivals:
    """Return the orders that a request brings. Of rows with one id the first counts."""
    n = request.rows
    ids = read_ids(request)
    account = unpack(request.account, n)
    slot = book.slots(account)
    instrument = unpack(request.instrument, n)
    if n and (instrument.min() < 0 or instrument.max() >= len(request.terms)):
        raise PackedError("an instrument is not among the terms")
    known = book.ids.find(ids) if is_idempotent else np.full(n, -1, np.int64)
    orders: Rows = np.zeros(n, ORDER_DTYPE)
    orders["account"] = slot
    orders["instrument"] = np.array([book.instruments[each.id] for each in request.terms], np.int64)[instrument]
    orders["steps"] = unpack(request.steps, n)
    orders["limit_ticks"] = unpack(request.limit_ticks, n)
    orders["stop_ticks"] = unpack(request.stop_ticks, n)
    orders["expires"] = unpack(request.expires_ns, n)
    orders["arrived"] = now_ns
    prices = book.prices[orders["instrument"]]
    orders["since"] = np.where(prices["known"] != 0, prices["closed"], -1)
    orders["session"] = request.session
    orders["day"] = -1
    orders["kind"] = _small(unpack(request.kind, n))
    orders["time_in_force"] = _small(unpack(request.time_in_force, n))
    orders["reduce_only"] = unpack(request.reduce_only, n) != 0
    orders["trail_ticks"] = unpack(request.trail_ticks, n)
    orders["base_steps"] = unpack(request.base_steps, n)
    orders["tag"] = unpack(request.tag, n)
    new = (known < 0) & (slot >= 0)
    if is_idempotent:
        new &= first_of_each(ids)
    strange = (known < 0) & (slot < 0)
    strangers = None
    if strange.any():
        codes = np.full(int(strange.sum()), int(Code.NO_ACCOUNT))
        strangers = refusals(ids[strange], account[strange], ReportKind.REJECTED, codes, now_ns)
    if new.all():
        return Arrivals(orders, ids, known[known >= 0], strangers)
    return Arrivals(orders[new], ids[new], known[known >= 0], strangers)


def judged(book: Book, request: Submit, arrived: Arrivals, now_ns: int, dice: Dice) -> Ints:
    """Return why each new order is rejected: a Code, 0 where it is taken."""
    orders = arrived.orders
    n = orders.size
    codes = np.zeros(n, np.int64)
    market = orders["kind"] == MARKET
    codes[dice.chosen(dice.faults.reject, n)] = Code.INJECTED
    codes[dice.chosen(dice.faults.requote, n) & market] = Code.REQUOTE
    hedges = book.accounts.rows["hedging"][orders["account"]] != 0
    codes[_is_bad(orders) | (hedges & (orders["tag"] <= 0))] = Code.BAD_ORDER
    if now_ns > request.deadline_ns:
        codes[:] = Code.DEADLINE_PASSED
    codes[book.accounts.rows["session"][orders["account"]] != request.session] = Code.SESSION_ENDED
    return codes


def cancelled(book: Book, request: Cancel, now_ns: int) -> tuple[Ints, Reports | None]:
    """Return the rows of the orders that a request cancels, and the answer to what it cannot cancel."""
    ids = read_ids(request)
    rows = book.ids.find(ids)
    orders, accounts = book.orders.rows, book.accounts.rows
    here = rows >= 0
    codes = np.where(here, Code.NONE, Code.UNKNOWN_ORDER)
    codes[here] = np.where(orders["status"][rows[here]] == WORKING, Code.NONE, Code.UNKNOWN_ORDER)
    ended = accounts["session"][orders["account"][rows[here]]] != request.session
    codes[np.flatnonzero(here)[ended]] = Code.SESSION_ENDED
    refused = codes != Code.NONE
    if not refused.any():
        return rows, None
    numbers = np.full(rows.size, -1, np.int64)
    numbers[here] = accounts["number"][orders["account"][rows[here]]]
    answer = refusals(ids[refused], numbers[refused], ReportKind.CANCEL_REJECTED, codes[refused], now_ns)
    return rows[~refused], answer


def _is_bad(orders: Rows) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    kind = orders["kind"]
    no_limit = ((kind == LIMIT) | (kind == STOP_LIMIT)) & (orders["limit_ticks"] <= 0)
    no_stop = ((kind == STOP) | (kind == STOP_LIMIT)) & (orders["stop_ticks"] <= 0)
    levels = (orders["stop_ticks"] > 0) | (orders["limit_ticks"] > 0) | (orders["trail_ticks"] > 0)
    protects_nothing = (kind == PROTECTIVE) & ((orders["tag"] <= 0) | ~levels)
    unheard_of = (kind < 0) | (kind > PROTECTIVE) | (orders["time_in_force"] < 0) | (orders["time_in_force"] > GTD)
    return (orders["steps"] == 0) | no_limit | no_stop | protects_nothing | unheard_of  # type: ignore[no-any-return]


def _small(column: Ints) -> Ints:
    """Return a column of numbers that fit into a byte; those that do not become -1, which is no kind of anything."""
    return np.where((column < 0) | (column > 100), -1, column)
