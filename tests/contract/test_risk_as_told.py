"""What docs/wire.md tells of risk: its snapshot holds that, read here with nothing of ours, and its codes are so."""

import re
import struct
from pathlib import Path

import msgspec
import pytest

from apps.execution.contracts import OrderType
from apps.risk.contracts import Level, Limits, RefusalReason, TradingState
from apps.risk.core import RISK
from tests.oracles import risk as plain

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "wire.md").read_text()
SECTION = PAGE.partition("## The snapshot of risk")[2].partition("\n## ")[0]
CODES = PAGE.partition("## The codes of risk")[2].partition("\n## ")[0]
WIDTHS = {"limits": 20, "rates": 24, "references": 8, "turns": 3, "stops": 32}


@pytest.fixture
def snapshot():
    written = (ROOT / "tests" / "contract" / "snapshots" / f"risk.v{RISK.snapshot_version}.msgpack").read_bytes()
    return msgspec.msgpack.decode(written)


def told(table: str) -> list[str]:
    """Return the columns that the document names of a table, "" where it has one without a name."""
    [row] = [line for line in SECTION.splitlines() if line.startswith(f"| `{table}` |") and "columns" not in line]
    cell = row.split("|")[2]
    return [""] if '"":' in cell else [name for name in re.findall(r"`([a-z_0-9]+)`", cell) if name != table]


def test_the_document_is_of_the_version_that_is_written():
    assert f"of `version` {RISK.snapshot_version}." in SECTION


def test_it_has_the_fields_that_are_told(snapshot):
    fields = SECTION.partition("| table |")[0]
    assert [line.split("`")[1] for line in fields.splitlines() if line.startswith("| `")] == list(snapshot)


def test_each_table_has_the_columns_that_are_told_with_a_number_for_each_row(snapshot):
    assert set(snapshot["tables"]) == set(snapshot["counts"])
    for table, columns in snapshot["tables"].items():
        assert set(told(table)) == set(columns), table
        for column, written in columns.items():
            numbers = struct.unpack(f"<{len(written) // 8}q", written)
            assert len(numbers) == snapshot["counts"][table] * WIDTHS.get(table, 1), (table, column)


def test_limits_have_a_number_for_each_field_of_the_message(snapshot):
    assert WIDTHS["limits"] == len(Limits.__struct_fields__)
    numbers = struct.unpack("<q", snapshot["tables"]["accounts"]["number"][:8])
    assert numbers == (1,)


@pytest.mark.parametrize(
    ("column", "codes"),
    [("reason", RefusalReason), ("level", Level), ("state", TradingState), ("order_type", list(OrderType)[:-1])],
)
def test_codes_are_those_that_are_told(column, codes):
    [row] = [line for line in CODES.splitlines() if line.startswith(f"| `{column}`")]
    told_of = [(int(number), name) for number, name in re.findall(r"(\d+) `([A-Z_]+)`", row)]
    assert told_of == [(each.value, each.name) for each in codes]


@pytest.mark.parametrize("codes", [RefusalReason, Level, TradingState])
def test_the_rules_in_plain_python_have_the_same_codes(codes):
    assert {each.name: each.value for each in getattr(plain, codes.__name__)} == {
        each.name: each.value for each in codes
    }
