"""Following a file, whatever becomes of it meanwhile."""

from pathlib import Path

import pytest

from apps.feeds.adapters.port import SourceError
from apps.feeds.adapters.tail import TailAdapter
from apps.feeds.records import Reason
from trading.instruments import Instrument
from trading.intervals import MINUTE

HEADER = "time,bid,ask\n"


def line(second: int, bid: float = 1.0) -> str:
    return f"2024-01-02T10:00:{second:02d}Z,{bid!r},{bid + 0.5!r}\n"


class Tailed:
    def __init__(self, path: Path, **options) -> None:
        self.path = path
        self.adapter = TailAdapter({"TEST:A": (Instrument(id="TEST:A"), path)}, **options)
        self.adapter.open(0)
        self.rejects = []

    def append(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    def bids(self) -> list[float]:
        """Read until nothing more comes."""
        found = []
        for _ in range(100):
            reading = self.adapter.read(0.0)
            for given in reading.given:
                found += given.records.values[0].tolist()
                self.rejects += given.rejects
            if not reading.given and reading.is_current:
                return found
        raise AssertionError("it does not come to an end")


@pytest.fixture
def tailed(tmp_path: Path) -> Tailed:
    return Tailed(tmp_path / "ticks.csv")


def test_a_file_that_is_not_there_yet_is_waited_for(tailed):
    assert tailed.bids() == []
    tailed.append(HEADER + line(0))
    assert tailed.bids() == [1.0]


def test_a_header_alone_says_nothing_of_the_times_and_is_waited_with(tailed):
    tailed.append(HEADER)
    assert tailed.bids() == []
    tailed.append("1704189600000,1.0,2.0\n")
    assert tailed.bids() == [1.0]


def test_a_line_that_is_half_written_is_given_when_it_is_whole_wherever_it_was_cut(tmp_path):
    text = HEADER + line(0) + line(1, 2.0) + line(2, 3.0)
    for cut in range(len(text)):
        tailed = Tailed(tmp_path / f"{cut}.csv")
        tailed.append(text[:cut])
        before = tailed.bids()
        tailed.append(text[cut:])
        assert before + tailed.bids() == [1.0, 2.0, 3.0], cut
        assert tailed.rejects == []


def test_a_file_that_was_moved_away_is_read_to_its_end_and_then_the_new_one(tailed):
    tailed.append(HEADER + line(0))
    assert tailed.bids() == [1.0]
    tailed.append(line(1, 2.0))
    tailed.path.rename(tailed.path.with_suffix(".old"))
    assert tailed.bids() == [2.0]
    with tailed.path.with_suffix(".old").open("a") as file:
        file.write(line(2, 3.0))
    tailed.append("time,ask,bid\n" + "2024-01-02T10:00:03Z,5.0,4.0\n")
    assert tailed.bids() == [3.0, 4.0]


@pytest.mark.parametrize("header", [HEADER, "", "time;ask;bid\n"])
def test_a_file_that_was_cut_short_is_read_from_its_beginning(tailed, header):
    tailed.append(HEADER + line(0) + line(1, 2.0) + line(2, 3.0))
    assert tailed.bids() == [1.0, 2.0, 3.0]
    new = "2024-01-02T10:00:05Z;7.5;7.0\n" if ";" in header else line(5, 7.0)
    tailed.path.write_text(header + new + (new.replace(":05Z", ":06Z")))
    assert tailed.bids() == [7.0, 7.0]


def test_a_file_that_was_written_anew_and_is_longer_is_read_from_its_beginning(tailed):
    tailed.append(HEADER + line(0))
    tailed.bids()
    tailed.path.write_text(HEADER + line(10, 5.0) + line(11, 6.0))
    assert tailed.bids() == [5.0, 6.0]


def test_a_line_that_cannot_be_read_is_told_with_its_place_and_the_rest_goes_on(tailed):
    tailed.append(HEADER + line(0))
    tailed.bids()
    tailed.append("nonsense\n" + line(2, 2.0))
    assert tailed.bids() == [2.0]
    assert [(each.line, each.reason, each.text) for each in tailed.rejects] == [(3, Reason.UNREADABLE, "nonsense")]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x1f\x8b123\n", "gzipped"), (b"a,b\n1,2\n", "not a header"), (b"time,price_of_tea\n1,2\n", "ticks.csv")],
)
def test_a_file_that_can_never_be_followed_is_refused_with_its_name(tailed, content, words):
    tailed.path.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        tailed.bids()


def test_a_parquet_file_that_is_half_written_is_waited_for(tmp_path):
    tailed = Tailed(tmp_path / "ticks.parquet")
    tailed.path.write_bytes(b"PAR1 and then nothing yet")
    assert tailed.bids() == []


def test_bars_are_followed_with_their_interval(tmp_path):
    tailed = Tailed(tmp_path / "bars.csv", interval_ns=MINUTE)
    tailed.append("ts,open,high,low,close,volume\n2024-01-02T10:00Z,1,2,0.5,1.5,10\n")
    given = tailed.adapter.read(0.0).given[0]
    assert (given.interval_ns, given.records.values[:, 0].tolist()) == (MINUTE, [1.0, 2.0, 0.5, 1.5, 10.0])
