import os

from banyan.process import do_apart


def test_what_is_done_apart_is_done_before_it_returns_and_by_another_process(tmp_path):
    told = tmp_path / "told"
    assert do_apart(lambda: told.write_text(str(os.getpid())))
    assert told.read_text() not in ("", str(os.getpid()))


def test_what_fails_apart_is_told_and_fails_nobody_else(caplog):
    assert not do_apart(lambda: 1 // 0)
    assert not do_apart(lambda: os._exit(3))
