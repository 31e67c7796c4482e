"""What a record must be to be let in. Each check looks at whole columns; the records that fail go to quarantine."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.feeds.records import COLUMNS, PRICES, Kind, Reason, Records, Reject

MAX_JUMP_SIGMAS = 100.0
"""How many robust standard deviations of a bar's return a price may leave and come back without being held wrong."""

SETTLES_IN = 3
"""After how many records a new level that holds is a level, and not a bad price."""

_LEAST_RETURNS = 30  # fewer say nothing about what is usual
_MANY_RETURNS = 100_000  # more say nothing more

Mask = NDArray[np.bool_]


def check_records(
    records: Records, columns_read: Sequence[str], max_jump_sigmas: float = MAX_JUMP_SIGMAS
) -> tuple[Records, list[Reject]]:
    """Return the good records, oldest first, and the rejects, one for each other record with its first reason.

    A file whose times mostly go down is taken to be written newest first and is turned round. `columns_read` names
    the columns that the file had. Of records with one time the first is kept (ticks may share a time).
    """
    if len(records) > 1 and np.count_nonzero(np.diff(records.time) < 0) > len(records) // 2:
        records = records.select(slice(None, None, -1))
    records, rejects = check_values(records, columns_read)
    records = _drop(records, _check_order(records), rejects)
    records = _drop(records, _check_jumps(records, columns_read, max_jump_sigmas), rejects)
    return records, rejects


def check_values(records: Records, columns_read: Sequence[str]) -> tuple[Records, list[Reject]]:
    """Return the records that can be true by themselves, whatever came before and after, and the rejects."""
    rejects: list[Reject] = []
    for check in (_check_numbers, _check_shape):
        records = _drop(records, check(records, columns_read), rejects)
    return records, rejects


Findings = list[tuple[Mask, Reason, str]]


def _drop(records: Records, findings: Findings, rejects: list[Reject]) -> Records:
    """Return the records in none of the masks; name each of the others with the first mask that it is in."""
    bad = np.zeros(len(records), np.bool_)
    for mask, reason, detail in findings:
        for row in np.flatnonzero(mask & ~bad):
            values = tuple(records.values[:, row].tolist())
            told = detail.format(**dict(zip(COLUMNS[records.kind], values, strict=True)))
            rejects.append(Reject(int(records.line[row]), reason, told, time=int(records.time[row]), values=values))
        bad |= mask
    return records.select(~bad) if bad.any() else records


def _check_numbers(records: Records, columns_read: Sequence[str]) -> Findings:
    prices = [name for name in PRICES[records.kind] if name in columns_read]
    amount = next((name for name in ("volume", "size") if name in columns_read), None)
    if records.kind is not Kind.TICKS and _all_plain(records, prices, amount):
        return []
    findings: Findings = []
    columns = {name: records.column(name) for name in prices}
    missing = {name: np.isnan(column) for name, column in columns.items()}
    if records.kind is Kind.TICKS and {"bid", "ask", "last"} <= columns.keys():
        one_sided = missing["bid"] ^ missing["ask"]
        nothing = missing["bid"] & missing["ask"] & missing["last"]
        findings.append((one_sided | nothing, Reason.NAN, "neither bid and ask nor last"))
    else:
        findings += [(mask, Reason.NAN, f"{name} is not a number") for name, mask in missing.items()]
    if amount is not None:
        column = records.column(amount)
        if records.kind is not Kind.TICKS and not np.isnan(column).all():
            findings.append((np.isnan(column), Reason.NAN, f"{amount} is not a number"))
        findings.append((np.isinf(column), Reason.INFINITE, f"{amount} is {{{amount}}}"))
    findings += [(np.isinf(column), Reason.INFINITE, f"{name} is {{{name}}}") for name, column in columns.items()]
    findings += [(column <= 0.0, Reason.NOT_POSITIVE, f"{name} is {{{name}}}") for name, column in columns.items()]
    if amount is not None:
        findings.append((records.column(amount) < 0.0, Reason.NEGATIVE_VOLUME, f"{amount} is {{{amount}}}"))
    return findings


def _all_plain(records: Records, prices: Sequence[str], amount: str | None) -> bool:
    """Whether all prices are positive and finite and all volumes finite and not negative: the usual case, told fast."""
    if len(records) == 0:
        return True
    block = records.values[: len(prices)]
    if not (block.min() > 0.0 and block.max() < np.inf):
        return False
    if amount is None:
        return True
    column = records.column(amount)
    return bool(column.min() >= 0.0 and column.max() < np.inf)


def _check_shape(records: Records, columns_read: Sequence[str]) -> Findings:
    findings: Findings = []
    if records.kind is Kind.TICKS:
        if {"bid", "ask"} <= set(columns_read):
            crossed = records.column("bid") > records.column("ask")
            findings.append((crossed, Reason.CROSSED, "bid {bid} is above ask {ask}"))
        return findings
    for side in ("",) if records.kind is Kind.BARS else ("bid_", "ask_"):
        opened, high, low, close = (records.column(side + name) for name in ("open", "high", "low", "close"))
        for mask, detail in (
            (high < low, "{high} is below {low}"),
            (high < np.maximum(opened, close), "{open} or {close} is above {high}"),
            (low > np.minimum(opened, close), "{open} or {close} is below {low}"),
        ):
            named = detail
            for name in ("open", "high", "low", "close"):
                named = named.replace(f"{{{name}}}", f"{side}{name} {{{side}{name}}}")
            findings.append((mask, Reason.HIGH_LOW, named))
    if records.kind is Kind.QUOTES:
        for name in ("open", "high", "low", "close"):
            crossed = records.column(f"bid_{name}") > records.column(f"ask_{name}")
            findings.append((crossed, Reason.CROSSED, f"bid_{name} {{bid_{name}}} is above ask_{name} {{ask_{name}}}"))
    return findings


def _check_order(records: Records) -> Findings:
    """Find the records whose time was there before, and the fewest whose removal leaves the rest in order."""
    time, n = records.time, len(records)
    steps = np.diff(time)
    is_ticks = records.kind is Kind.TICKS
    if not n or bool((steps >= 0).all() if is_ticks else (steps > 0).all()):
        return []
    duplicate = np.zeros(n, np.bool_)
    if not is_ticks:
        duplicate[:] = True
        duplicate[np.unique(time, return_index=True)[1]] = False
    rows = np.flatnonzero(~duplicate)
    out_of_order = np.zeros(n, np.bool_)
    out_of_order[rows] = ~_longest_rising(time[rows])
    return [
        (duplicate, Reason.DUPLICATE, "an earlier line has the same time"),
        (out_of_order, Reason.OUT_OF_ORDER, "the time does not fit between the lines before and after"),
    ]


def _longest_rising(time: NDArray[np.int64]) -> Mask:
    """Return the mask of one longest non-decreasing subsequence (patience sorting, Fredman 1975), O(n log n)."""
    ends: list[int] = []
    rows: list[int] = []
    before = np.full(time.size, -1, np.int64)
    for row, value in enumerate(time.tolist()):
        place = len(ends) if not ends or value >= ends[-1] else bisect_right(ends, value)
        before[row] = rows[place - 1] if place else -1
        if place == len(ends):
            ends.append(value)
            rows.append(row)
        else:
            ends[place], rows[place] = value, row
    kept = np.zeros(time.size, np.bool_)
    row = rows[-1] if rows else -1
    while row >= 0:
        kept[row] = True
        row = int(before[row])
    return kept


def _check_jumps(records: Records, columns_read: Sequence[str], sigmas: float) -> Findings:
    """Find prices that leave by more than `sigmas` and come back, and the first or last one where it stands off.

    A level that stays is the market or a split, not a bad price. The scale is robust: 1.4826 times the median absolute
    deviation of the closes' log returns, or of those that are not zero where most are.
    """
    if len(records) <= _LEAST_RETURNS or not np.isfinite(sigmas):
        return []
    found: list[tuple[Mask, str]] = []
    if records.kind is Kind.TICKS:
        for name in (name for name in ("bid", "ask", "last") if name in columns_read):
            mask = np.zeros(len(records), np.bool_)
            present = np.flatnonzero(np.isfinite(records.column(name)))
            logs = np.log(records.column(name)[present])
            mask[present] = _spikes(logs, sigmas * robust_sigma(np.diff(logs)))
            found.append((mask, f"{name} {{{name}}} leaves and comes back"))
    else:
        for side in ("",) if records.kind is Kind.BARS else ("bid_", "ask_"):
            found += _bar_jumps(records, side, sigmas)
    return [(mask, Reason.JUMP, f"{detail} by more than {sigmas:g} sigmas") for mask, detail in found]


def _bar_jumps(records: Records, side: str, sigmas: float) -> list[tuple[Mask, str]]:
    opened, high, low, close = (records.column(side + name) for name in ("open", "high", "low", "close"))
    logs = np.log(close)
    bound = sigmas * robust_sigma(np.diff(logs))
    if bound == 0.0:
        return []
    opened_logs = np.log(opened)
    from_close = np.abs(opened_logs - logs)
    from_before = np.abs(opened_logs - np.append(logs[0], logs[:-1]))
    return [
        (_spikes(logs, bound), f"{side}close {{{side}close}} leaves and comes back"),
        (np.minimum(from_close, from_before) > bound, f"{side}open {{{side}open}} is off the closes beside it"),
        (high > np.maximum(opened, close) * np.exp(bound), f"{side}high {{{side}high}} is off open and close"),
        (low < np.minimum(opened, close) * np.exp(-bound), f"{side}low {{{side}low}} is off open and close"),
    ]


def robust_sigma(returns: NDArray[np.float64]) -> float:
    """Return 1.4826 x the median absolute deviation of log returns, 0 where there are too few (Hampel 1974).

    Of many returns a hundred thousand or more at even distances are looked at.
    """
    returns = returns[:: max(1, returns.size // _MANY_RETURNS)]
    if np.count_nonzero(returns) * 2 <= returns.size:
        returns = returns[returns != 0.0]
    if returns.size < _LEAST_RETURNS:
        return 0.0
    return 1.4826 * float(np.median(np.abs(returns - np.median(returns))))


def _spikes(logs: NDArray[np.float64], bound: float) -> Mask:
    """Return which log prices are more than `bound` off the level before them and are left again within a few records.

    The first or the last price is one where it alone is off its neighbour.
    """
    spikes = np.zeros(logs.size, np.bool_)
    if bound == 0.0:
        return spikes
    candidates = (np.flatnonzero(np.abs(np.diff(logs)) > bound) + 1).tolist()
    position = 0
    while position < len(candidates):
        row = candidates[position]
        level = logs[row - 1]
        back = np.flatnonzero(np.abs(logs[row + 1 : row + 1 + SETTLES_IN] - level) <= bound)
        end = row + 1 + int(back[0]) if back.size else row
        if row == logs.size - 1:
            end = logs.size
        elif row == 1 and not back.size:
            spikes[0] = True
        spikes[row:end] = True
        position = bisect_left(candidates, end + 1, lo=position + 1)
    return spikes
