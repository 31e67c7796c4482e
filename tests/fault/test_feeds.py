"""Live feeds as their user runs them: a process that is killed while files grow makes every bar, once."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from apps.feeds.catalogue import shipped_instruments
from apps.feeds.files import read_checked
from apps.feeds.records import Kind
from apps.feeds.resampling import resample
from apps.feeds.sample_data import SAMPLE
from tests.fault.system import System
from trading.intervals import MINUTE

EURUSD = shipped_instruments()["OANDA:EURUSD"]
TICKS = SAMPLE / "eurusd_ticks_2014-05-02.csv.gz"


class Grown:
    """A file of real ticks that is written in parts, cut anywhere."""

    def __init__(self, path: Path, count: int) -> None:
        records, _ = read_checked(TICKS, (Kind.TICKS,), None, None)
        self.records = records.select(slice(0, count))
        rows = zip(self.records.time.tolist(), *self.records.values[:2].tolist(), strict=True)
        self._text = "time,bid,ask\n" + "".join(f"{time},{bid:.5f},{ask:.5f}\n" for time, bid, ask in rows)
        self._at = 0
        self.path = path

    def write(self, share: float) -> None:
        stop = round(share * len(self._text))
        with self.path.open("a") as file:
            file.write(self._text[self._at : stop])
        self._at = stop

    def closes(self) -> dict[int, list[int]]:
        """Return bid and ask OHLC in ticks of the minutes that the whole gives, by their close."""
        _, opens, values = resample(Kind.TICKS, self.records.time, self.records.values, 0, MINUTE, EURUSD)
        ticks = np.rint(values[:8] / EURUSD.tick_size).astype(np.int64)
        return dict(zip((opens + MINUTE).tolist(), ticks.T.tolist(), strict=True))


def events(system: System, name: str) -> Iterator[dict]:
    return (body for step in system.steps("feeds") for event, body in step["events"] if event == name)


def bars(system: System) -> dict[int, list[int]]:
    """Return the newest revision of each bar in the log; a first close comes once."""
    found: dict[int, list[int]] = {}
    for bar in events(system, "feeds.bar-closed.v1"):
        closed_at_ns = int(bar["closed_at_ns"])
        assert (closed_at_ns in found) == (bar["revision"][0] > 0), closed_at_ns
        names = [f"{side}_{price}" for side in ("bid", "ask") for price in ("open", "high", "low", "close")]
        found[closed_at_ns] = [bar[name][0] for name in names]
    return found


def state(system: System) -> dict:
    return json.loads(system.manage("feeds", "list", "--json"))[0]


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    return Grown(tmp_path / "eurusd_ticks.csv", 6_000)


def test_a_process_that_is_killed_while_a_file_grows_makes_every_bar_of_the_whole_once(system, grown):
    file = f"OANDA:EURUSD={grown.path}"
    said = system.manage("feeds", "add", "--instrument", file, "--bars", "1m", "--lateness", "900000000")
    assert said.startswith("oanda defined: OANDA:EURUSD, bars of 1m")
    system.manage("feeds", "start", "oanda")
    assert "no process runs it" in system.manage("status", code=1)
    system.start(roles=["feeds"])
    grown.write(0.3)
    system.wait_for("the first bars", lambda: len(bars(system)) > 3)
    system.kill_supervisor()
    grown.write(0.7)
    system.start(roles=["feeds"])
    system.wait_for("more bars", lambda: len(bars(system)) > len(grown.closes()) // 2)
    system.kill_supervisor()
    grown.write(1.0)
    system.start(roles=["feeds"])
    # The minute that was being written when it was killed was closed with what there was; it is not opened again.
    system.wait_for(
        "the last bar", lambda: bars(system).get(max(grown.closes())) == grown.closes()[max(grown.closes())]
    )
    found, wanted = bars(system), grown.closes()
    assert found.keys() == wanted.keys()
    assert sum(found[closed_at_ns] != wanted[closed_at_ns] for closed_at_ns in wanted) <= 2
    assert [each["feed"] for each in events(system, "feeds.feed-configured.v1")] == ["oanda"]
    system.wait_for("a report", lambda: state(system)["state"] in ("running", "stale"))
    code, _ = system.stop()
    assert code == 0
    system.manage("events", "verify", "feeds")


def test_a_feed_that_gives_nothing_is_shown_and_one_that_cannot_be_read_says_why(system, tmp_path):
    path = tmp_path / "btc.csv"
    system.manage("add_instrument", "X:BTC", "--tick-size", "0.01", "--lot-step", "0.001")
    system.manage("feeds", "add", "--instrument", f"X:BTC={path}", "--bars", "1s", "--stale-after", "1")
    system.manage("feeds", "start", "x")
    system.start(roles=["feeds"])
    system.wait_for("silence", lambda: state(system)["state"] == "stale")
    system.wait_for("its event", lambda: [e["is_stale"] for e in events(system, "feeds.feed-stale.v1")] == [True])
    assert "feed x is stale: nothing has come since it began" in system.manage("status", code=1)
    path.write_text("nothing\nof use\n")
    system.wait_for("the reason", lambda: "btc.csv: line 1 is not a header" in state(system).get("problem", ""))
    system.wait_for("what is told of it", lambda: "feed x is failing" in system.tried("status"))
    now = np.datetime64("now", "ms") + np.arange(4) * np.timedelta64(1, "ms")
    path.write_text("time,last,size\n" + "".join(f"{time}Z,5.{row}0,2\n" for row, time in enumerate(now)))
    system.wait_for("the bar", lambda: any(e["volume_e6"] for e in events(system, "feeds.bar-closed.v1")))
    system.wait_for(
        "its event", lambda: [e["is_stale"] for e in events(system, "feeds.feed-stale.v1")][:2] == [True, False]
    )
    system.manage("feeds", "stop", "x")
    system.wait_for("its end", lambda: state(system)["state"] == "stopped")
    system.manage("feeds", "remove", "x")
    assert "There is no feed yet" in system.manage("feeds", "list")
    assert "LOOK" not in system.manage("status")
