"""The paper broker's ledger file."""

import pytest

from apps.execution.paper.ledger import Began, Ledger, LedgerError


def read(path):
    ledger = Ledger(path)
    try:
        return [record.session for record in ledger.read()]
    finally:
        ledger.close()


def written(path, groups=3):
    ledger = Ledger(path)
    list(ledger.read())
    sizes = []
    for group in range(groups):
        ledger.append([Began(session=2 * group + 1, rows=0, slot=b""), Began(session=2 * group + 2, rows=0, slot=b"")])
        sizes.append(path.stat().st_size)
    ledger.close()
    return sizes


def test_records_are_read_back_in_order(tmp_path):
    written(tmp_path / "ledger")
    assert read(tmp_path / "ledger") == [1, 2, 3, 4, 5, 6]


def test_a_ledger_cut_at_any_byte_keeps_its_whole_groups_and_takes_new_ones(tmp_path):
    path = tmp_path / "ledger"
    sizes = written(path)
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = 2 * sum(size <= cut for size in sizes)
        assert read(path) == list(range(1, kept + 1)), cut
        ledger = Ledger(path)
        list(ledger.read())
        ledger.append([Began(session=99, rows=0, slot=b"")])
        ledger.close()
        assert read(path) == [*range(1, kept + 1), 99], cut


def test_a_last_group_that_holds_something_else_is_cut_off(tmp_path):
    path = tmp_path / "ledger"
    sizes = written(path)
    content = bytearray(path.read_bytes())
    content[sizes[1] + 9] ^= 1
    path.write_bytes(content)
    assert read(path) == [1, 2, 3, 4]


def test_damage_before_the_last_group_is_an_error_and_changes_nothing(tmp_path):
    path = tmp_path / "ledger"
    sizes = written(path)
    content = bytearray(path.read_bytes())
    content[sizes[0] + 9] ^= 1
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=f"damaged at byte {sizes[0]}"):
        read(path)
    assert path.read_bytes() == content


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "ledger").write_bytes(b"x" * 100)
    with pytest.raises(LedgerError, match="no ledger"):
        read(tmp_path / "ledger")


def test_a_second_broker_is_refused(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    with pytest.raises(LedgerError, match="in use"):
        Ledger(tmp_path / "ledger")
    ledger.close()
