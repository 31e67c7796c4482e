"""What the paper broker says of orders and accounts, as frames of columns."""

from collections.abc import Iterator

import numpy as np

from apps.execution.growing import ID_BYTES, Ids
from apps.execution.kernels.paper import REPORT_TRIGGERED
from apps.execution.packed import PackedError, pack, unpack
from apps.execution.paper.book import Book, Rows
from apps.execution.paper.protocol import AskStatement, Found, Query, Reports, Statement
from banyan.columns import Ints

KNOWN, NOT_KNOWN, CANNOT_TELL = 1, 0, 2


def reports_frame(book: Book, rows: Ints) -> Reports:
    """Return reports, but for those that the broker keeps to itself, as a frame."""
    rows = rows[book.reports.rows["kind"][rows] < REPORT_TRIGGERED]
    reports = book.reports.rows[rows]
    ours = reports["order"] >= 0
    client_ids = np.zeros(rows.size, f"S{ID_BYTES}")
    client_ids[ours] = book.ids.ids[reports["order"][ours]]
    instrument = reports["instrument"].astype(np.int64)
    amount = np.where(ours, 0, reports["cash_micro"])
    if ours.any():
        orders = book.orders.rows[reports["order"][ours]]
        instrument[ours] = orders["instrument"]
        amount[ours] = np.where(book.is_converted(orders), reports["cash_micro"][ours] + reports["fee_micro"][ours], 0)
    return Reports(
        rows=rows.size,
        instruments=list(book.instruments),
        execution=pack(rows + 1),
        client_ids=client_ids.tobytes(),
        account=pack(book.accounts.rows["number"][_slots(book, reports)]),
        instrument=pack(instrument),
        kind=pack(reports["kind"]),
        code=pack(reports["code"]),
        steps=pack(reports["steps"]),
        price_e9=pack(reports["price_e9"]),
        fee_micro=pack(reports["fee_micro"]),
        amount_micro=pack(amount),
        at_ns=pack(reports["at_ns"]),
    )


def _slots(book: Book, reports: Rows) -> Ints:
    """Return the accounts (slots) that reports are of."""
    slots = reports["account"].astype(np.int64)
    ours = reports["order"] >= 0
    if ours.all():
        return book.orders.rows["account"][reports["order"]].astype(np.int64)
    slots[ours] = book.orders.rows["account"][reports["order"][ours]]
    return slots


def reports_by_session(book: Book, rows: Ints) -> Iterator[tuple[int, Reports]]:
    """Yield the sessions that reports concern, each with a frame of its reports."""
    if not rows.size:
        return
    sessions = book.accounts.rows["session"][_slots(book, book.reports.rows[rows])]
    first = int(sessions[0])
    if np.all(sessions == first):
        yield first, reports_frame(book, rows)
        return
    for session in np.unique(sessions).tolist():
        yield session, reports_frame(book, rows[sessions == session])


def refusals(ids: Ids, accounts: Ints, kind: int, codes: Ints, now_ns: int) -> Reports:
    """Return answers to what concerns no order of the broker's, and that therefore have no execution number."""
    return Reports(
        rows=ids.size,
        instruments=[],
        execution=b"",
        client_ids=ids.tobytes(),
        account=pack(accounts),
        instrument=b"",
        kind=pack(np.full(ids.size, kind)),
        code=pack(codes),
        at_ns=pack(np.full(ids.size, now_ns)),
    )


def found(book: Book, request: Query) -> Found:
    """Return what is known of the orders that a query names."""
    if len(request.client_ids) != ID_BYTES * request.rows:
        raise PackedError(f"{len(request.client_ids)} bytes are not {request.rows} client order ids")
    rows = book.ids.find(np.frombuffer(request.client_ids, f"S{ID_BYTES}"))
    slots = book.slots(unpack(request.account, request.rows))
    is_current = slots >= 0
    is_current[is_current] = book.accounts.rows["session"][slots[is_current]] == request.session
    known = np.where(rows >= 0, KNOWN, np.where(is_current, NOT_KNOWN, CANNOT_TELL))
    reports = reports_frame(book, book.reports_of(rows[rows >= 0]))
    return Found(
        request=request.request, session=request.session, rows=request.rows, known=pack(known), reports=reports
    )


def statement(book: Book, request: AskStatement, now_ns: int) -> Statement:
    """Return what accounts hold and what works for them. Raises PackedError for an account that is not open."""
    numbers = unpack(request.account, request.rows)
    slots = book.slots(numbers)
    if np.any(slots < 0):
        raise PackedError(f"account {numbers[slots < 0][0]} is not open")
    held = book.positions()[:, slots]
    instrument, at = np.nonzero(held)
    orders = book.orders.rows
    working = book.working()
    working = working[np.isin(orders["account"][working], slots)]
    reports = book.reports.rows
    since = np.arange(max(0, request.since), reports.size)
    since = since[np.isin(_slots(book, reports[since]), slots)]
    return Statement(
        request=request.request,
        session=request.session,
        at_ns=now_ns,
        upto=reports.size,
        rows=at.size,
        instruments=list(book.instruments),
        account=pack(numbers[at]),
        instrument=pack(instrument),
        steps=pack(held[instrument, at]),
        accounts=request.rows,
        cash_micro=pack(book.accounts.rows["cash_micro"][slots]),
        working=working.size,
        working_ids=book.ids.ids[working].tobytes(),
        working_account=pack(book.accounts.rows["number"][orders["account"][working]]),
        working_instrument=pack(orders["instrument"][working]),
        working_steps=pack(orders["steps"][working] - orders["filled"][working]),
        reports=reports_frame(book, since),
    )
