"""Lines made from columns, against Python's own numbers and texts."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.reporting.kernels.text import NOTHING
from apps.reporting.written import Lines
from tests.oracles.book_lines import fixed
from tests.profiles import examples

WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)
STEPS = st.integers(-(10**12), 10**12)
LOT_STEPS = st.sampled_from([0, 1, 10**7, 333_333_333, 10**9, 25 * 10**8])
TIMES = st.integers(0, 4_102_444_800 * 10**9)  # to the year 2100
COLUMNS = {"whole": WHOLE, "money": WHOLE, "steps": STEPS, "lot_step": LOT_STEPS, "pair": WHOLE, "at_ns": TIMES}


def lines_of(lines):
    text, ends = lines.write()
    whole = text.tobytes()
    return [whole[begin:end].decode() for begin, end in zip([0, *ends.tolist()], ends.tolist(), strict=False)]


@examples(2.0)
@given(st.lists(st.fixed_dictionaries(COLUMNS), min_size=1, max_size=5), st.integers(0, 9))
def test_every_kind_of_field_is_written_as_python_writes_it(rows, digits):
    column = {name: np.array([row[name] for row in rows], np.int64) for name in COLUMNS}
    texts = [f"é{at}," * at for at in range(len(rows))]
    made = (
        Lines(len(rows)).text("a", "b").whole(column["whole"]).text(",").fixed(column["money"], digits).text(",")
        .lots(column["steps"], column["lot_step"]).text(",").hexadecimal(column["pair"], 16)
        .hexadecimal(column["steps"], 8).text(",").time(column["at_ns"])
        .chosen(np.arange(len(rows))[::-1], [each.encode() for each in texts])
    )  # fmt: skip
    expected = [
        f"ab{row['whole']},{fixed(row['money'], digits)},{lots(row)},{row['pair'] % 2**64:016x}"
        f"{row['steps'] % 2**32:08x},{time(row['at_ns'])}{texts[-1 - at]}"
        for at, row in enumerate(rows)
    ]
    assert lines_of(made) == expected


def lots(row):
    return fixed(row["steps"] * row["lot_step"], 9) if row["lot_step"] else f"{row['steps']} steps"


def time(at_ns):
    if not at_ns:
        return ""
    return f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{at_ns % 10**9:09d}Z"


def test_what_is_not_there_is_written_as_copy_knows_it():
    assert lines_of(Lines(2).whole(np.array([NOTHING, 0]))) == ["\\N", "0"]


def test_a_line_without_fields_is_empty_and_so_is_no_line():
    assert lines_of(Lines(2)) == ["", ""]
    assert lines_of(Lines(0).text("a").whole(0)) == []
