"""Streams tell everything once, in order, from wherever a listener goes on."""

import asyncio
import base64
import contextlib
import threading

import orjson
import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from apps.api import news, streams
from apps.api.keys import problems_of, revoke
from apps.api.models import Key
from apps.api.news import AwayError, Course
from apps.api.problems import Problem
from apps.api.sealing import sealed
from apps.api.streams import FAMILIES, read, written
from apps.console.interface import Beat
from apps.feeds.contracts import BarClosed, FeedStale, GapDetected, RecordQuarantined
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from banyan.codec import decode_message
from tests.integration.api.conftest import ALL
from tests.integration.api.listening import FIRM, apart, chunks_of, listen, listener_of, troubles
from tests.integration.console.test_overview import read as read_logs
from tests.integration.reporting.recorded import HOUR_NS
from tests.integration.reporting.test_read_models import trade_at_random

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("traded")]
ONE, TWO = FIRM._replace(client="one"), FIRM._replace(client="two")
OF_ACCOUNTS = [name for name, of in FAMILIES.items() if not of.is_firm_only]
ONCE = ("fills", "refusals", "signals")
"""Those that tell what happened; the others tell what something has become."""


@pytest.fixture(scope="module", autouse=True)
def troubled(traded, django_db_blocker):
    """A feed with a gap, a record that was not let in, and silence."""
    hour = HOUR_NS
    bar = decode_message(BarClosed.wire_name, traded.feeds.kept["SIM"][0].body)
    gap = GapDetected(feed="SIM", instrument="OANDA:EURUSD", interval_ns=hour, after_ns=hour, before_ns=5 * hour)
    wrong = RecordQuarantined(
        feed="SIM", instrument="SIM:GOLD", reason="crossed", record="1,2", event_time_ns=1, count=3
    )
    silent = [FeedStale(feed="SIM", last_tick_ns=each, is_stale=bool(each)) for each in (hour, 0)]
    with django_db_blocker.unblock():
        for events in ([gap, wrong], silent):
            traded.feeds.append("SIM", traded.now_ns, bar, events)
        read_logs(traded)


def test_what_happened_to_feeds_is_told_in_words():
    heard = [(data["what"], data["instrument"], data["detail"]) for _, data in listen("feeds", {}, 1).events]
    assert heard == [
        ("gap", "OANDA:EURUSD", "from 1970-01-01 01:00:00 to 1970-01-01 05:00:00"),
        ("quarantined", "SIM:GOLD", "crossed (3 such): 1,2"),
        ("stale", "", "nothing has come since 1970-01-01 01:00:00"),
        ("back", "", ""),
    ]
    assert len(listen("feeds", {}, 1, instrument="SIM:GOLD").events) == 1


@pytest.mark.parametrize(
    ("family", "names"),
    [("orders", ("account", "instrument", "decision")), ("positions", ("account", "set", "instrument"))],
)
def test_what_has_changed_is_told_as_it_is_by_then(monkeypatch, callers, family, names):
    rows = callers["viewer"].rows(f"{family}?limit=500")
    thing = lambda row: tuple(row[name] for name in names)  # noqa: E731
    for size in (500, 7):
        monkeypatch.setattr(news, "_A_PIECE", size)
        heard = [data for _, data in listen(family, {}, 1).events]
        assert {thing(row): row for row in heard} == {thing(row): row for row in rows}
        assert (len(heard) == len(rows)) == (size == 500)


@pytest.mark.parametrize("family", ONCE)
def test_from_the_beginning_everything_is_told_once(callers, family):
    rows = callers["viewer"].rows(f"{family}?limit=500")
    heard = [data for _, data in listen(family, {}, 1).events]
    assert len(heard) == len(rows) > 3
    key = lambda row: sorted((name, str(value)) for name, value in row.items())  # noqa: E731
    assert sorted(heard, key=key) == sorted(rows, key=key)


@pytest.mark.parametrize("family", [name for name, of in FAMILIES.items() if not of.is_apart])
@pytest.mark.parametrize("size", [1, 500])
def test_after_any_event_a_listener_goes_on_with_the_next(monkeypatch, family, size):
    everything = listen(family, {}, 1).events
    monkeypatch.setattr(news, "_A_PIECE", size)
    begin = {} if size > 1 else read(everything[-20:][0][0], family)  # one at a time, all of them would take long
    events = listen(family, begin, 1).events
    for at in range(0, len(events), max(1, len(events) // 3)):
        assert listen(family, read(events[at][0], family), 1).events == events[at + 1 :], events[at][0]
    assert listen(family, read(events[-1][0], family), 1).events == []


@pytest.mark.parametrize("family", OF_ACCOUNTS)
def test_a_client_hears_of_its_own_accounts_alone(callers, family):
    rows = callers["client one"].rows(f"{family}?limit=500")
    heard = [data for _, data in listen(family, {}, 1, caller=ONE).events]
    assert len(heard) == len(rows)
    assert {row["account"] for row in heard} <= {"A1", "A2"}
    of_one = listen(family, {}, 1, account="A1").events
    assert {row["account"] for _, row in of_one} == {"A1"}


def test_whoever_begins_now_hears_what_comes_and_nothing_before(traded, django_db_blocker):
    known = len(listen("fills", {}, 1).events)

    def trade():
        with django_db_blocker.unblock():
            traded.now_ns += HOUR_NS
            trade_at_random(traded, 12, rounds=6)
            read_logs(traded)

    heard = listen("fills", reporting.log_marks(), 1, 2, between=trade)
    everything = listen("fills", {}, 1).events
    assert heard.events
    assert len(everything) == known + len(heard.events)
    assert heard.events[-1] == everything[-1]
    assert all(event in everything for event in heard.events)


def listen_together(family, callers, between, **asked):
    """Let several listen from now on, and do something; return what each has heard."""
    places = FAMILIES[family].marks()

    async def run():
        done = asyncio.Event()

        async def heard_by(caller, begun):
            listener = listener_of(family, caller, places, **asked)

            async def beats():
                yield Beat(1, {"execution": 1})
                begun.set()
                await done.wait()
                yield Beat(2, {"execution": 2})

            events = [event async for chunk in listener.events(beats()) for event in apart(chunk)]
            return [orjson.loads(event.split(b"data: ")[1]) for event in events if b"event: begin" not in event]

        begun = [asyncio.Event() for _ in callers]
        hearing = [asyncio.create_task(heard_by(*each)) for each in zip(callers, begun, strict=True)]
        for each in begun:
            await asyncio.wait_for(each.wait(), 120)
        await asyncio.to_thread(between)
        done.set()
        return await asyncio.gather(*hearing)

    return asyncio.run(run())


@pytest.fixture
def trade(traded, django_db_blocker):
    """Trade something more, that the read models have then."""

    def do():
        with django_db_blocker.unblock():
            traded.now_ns += HOUR_NS
            trade_at_random(traded, 13 + traded.now_ns // HOUR_NS, rounds=6)
            read_logs(traded)

    return do


@pytest.fixture
def scopes_read(monkeypatch):
    """The scopes within which rows were read, by family."""
    found = {}

    def watch(name):
        of, found[name] = FAMILIES[name], []

        def onward(scope, *rest):
            found[name].append(scope)
            return of.onward(scope, *rest)

        monkeypatch.setitem(FAMILIES, name, of._replace(onward=onward))

    for name in OF_ACCOUNTS:
        watch(name)
    return found


@pytest.mark.parametrize("family", OF_ACCOUNTS)
def test_what_comes_is_read_once_for_all_who_listen(family, trade, scopes_read):
    places = FAMILIES[family].marks()
    everybody = listen_together(family, [FIRM, ONE, FIRM, ONE, TWO, FIRM], trade)
    assert scopes_read[family] == [Scope()]
    for caller, heard in zip([FIRM, ONE, FIRM, ONE, TWO, FIRM], everybody, strict=True):
        assert heard == [data for _, data in listen(family, places, 1, caller=caller).events]
    assert {row["account"] for row in everybody[1]} <= {"A1", "A2"}
    assert len(everybody[0]) == len(everybody[1]) + len(everybody[4]) > 0


def test_nothing_of_others_is_read_for_who_is_alone(trade, scopes_read):
    (heard,) = listen_together("orders", [ONE], trade)
    assert heard
    assert scopes_read["orders"] == [Scope(clients=("one",))]
    (heard,) = listen_together("fills", [ONE], trade, account="A1")
    assert {row["account"] for row in heard} <= {"A1"}


@pytest.mark.parametrize("kept", [1, 64])
def test_who_is_not_as_fast_as_others_misses_nothing(monkeypatch, trade, kept):
    monkeypatch.setattr(news, "_A_PIECE", 3)
    monkeypatch.setattr(news, "_PIECES_KEPT", kept)
    places = FAMILIES["fills"].marks()

    async def run():
        with news.listened("fills", "") as of_fills, news.listened("fills", "one") as again:
            assert again is of_fills
            slow, _ = Course(places), await of_fills.after(Course(places), Scope(), 1)
            await asyncio.to_thread(trade)
            fast, slowly = Course(places), []
            while (step := await of_fills.after(fast, Scope(), 2))[0] is not None:
                fast = step[1]
            while (step := await of_fills.after(slow, Scope(client="one"), 2))[0] is not None:
                slowly += [item.data for item in step[0].within(Scope(client="one"))]
                slow = step[1]
            assert slow.places == fast.places
            return slowly

    told = [orjson.dumps(data) for _, data in listen("fills", places, 1, caller=ONE).events]
    assert told == []
    slowly = asyncio.run(run())
    assert slowly == [orjson.dumps(data) for _, data in listen("fills", places, 1, caller=ONE).events]
    assert len(slowly) > 3


def test_who_comes_while_a_piece_is_read_for_others_misses_nothing_of_it(monkeypatch, trade):
    """Somebody of another client begins in the middle of a read that was begun without them."""
    begins = FAMILIES["fills"].marks()
    trade()
    middle = FAMILIES["fills"].marks()
    reading, read_on = threading.Event(), threading.Event()
    of = FAMILIES["fills"]

    def slow(scope, *rest):
        if scope.clients == ("one",):
            reading.set()
            assert read_on.wait(120)
        return of.onward(scope, *rest)

    monkeypatch.setitem(FAMILIES, "fills", of._replace(onward=slow))
    one, two = Scope(client="one"), Scope(client="two")

    async def run():
        with news.listened("fills", "one") as told:
            _, first = await told.after(Course(middle), one, 1)
            await asyncio.to_thread(trade)
            others = asyncio.create_task(told.after(first, one, 2))
            await asyncio.to_thread(reading.wait, 120)
            with news.listened("fills", "two"):
                heard, step = [], await told.after(Course(begins), two, 2)
                while step[0] is not None:
                    heard += [item.data for item in step[0].within(two)]
                    if not read_on.is_set():
                        read_on.set()
                        await others
                    step = await told.after(step[1], two, 2)
                return heard

    heard = asyncio.run(run())
    assert heard == [orjson.dumps(data) for _, data in listen("fills", begins, 1, caller=TWO).events]
    assert heard


def test_since_leaves_out_what_came_before(callers):
    rows = callers["viewer"].rows("fills?sort=filled_at&limit=500")
    middle = rows[len(rows) // 2]["filled_at"]
    key = {"Authorization": f"Bearer {callers['viewer'].key}"}
    assert Client().get(f"/api/v1/streams/fills?since={middle}", headers=key).status_code == 200
    places = reporting.places_at("reporting_fill", "filled_at_ns", streams.asking.SINCE.read(middle))
    heard = [data for _, data in listen("fills", places, 1).events]
    wanted = [row for row in rows if row["filled_at"] >= middle]
    assert {row["filled_at"] for row in heard} == {row["filled_at"] for row in wanted}
    assert len(heard) == len(wanted)


def changed(text, at):
    """Return a text with another letter in one place."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


ID = {"3": (987_654_321_987, 1, 2, 3), "4": (5,)}


@pytest.mark.parametrize(
    "last",
    [
        "x", "[]", '{"0": 1}', '{"0": []}', '{"0": [1, 2]}', '{"0": ["1"]}', '{"0": [99999999999999999999]}',
        "9" * 19000,
        "v1.", "v1.x", "v1.é", "v2.AAAA", "v1." + "A" * 64, lambda: written(ID, "orders"),
        lambda: changed(written(ID, "fills"), 9), lambda: changed(written(ID, "fills"), 60),
        lambda: sealed(ID, "cursor"), lambda: sealed({"0": ["1"]}, "events of fills"),
    ],
)  # fmt: skip
def test_an_id_that_is_none_of_ours_is_refused(callers, last):
    text = last() if callable(last) else last
    with pytest.raises(Problem):
        read(text, "fills")
    headers = {"Authorization": f"Bearer {callers['viewer'].key}", "Last-Event-ID": text}
    assert Client().get("/api/v1/streams/fills", headers=headers).status_code == 400


def test_an_id_tells_nobody_where_it_stands_and_stays_the_same(settings):
    of_fill = written(ID, "fills")
    assert read(of_fill, "fills") == ID == read(orjson.dumps(ID).decode(), "fills")
    assert of_fill == written(dict(reversed(ID.items())), "fills")
    assert base64.urlsafe_b64decode(of_fill.removeprefix("v1.") + "==").find(b"987") == -1
    lengths = {len(written({"3": (10**power, 1, 2, 3)}, "fills")) for power in range(12)}
    assert len(lengths) == 1  # nor how large it is
    settings.SECRET_KEY = "another" * 8
    assert written(ID, "fills") != of_fill
    with pytest.raises(Problem):
        read(of_fill, "fills")


def test_a_stream_is_there_for_keys_that_may_read(callers):
    for who, caller in callers.items():
        response = caller.get("streams/fills")
        assert response.status_code == (401 if who == "nobody" else 200)
        if response.status_code == 200:
            assert response.headers["Content-Type"] == "text/event-stream"
            assert "ETag" not in response.headers
    assert callers["viewer"].get("streams/weather").status_code == 404
    assert callers["viewer"].get("streams/signals?account=A1").status_code == 400
    assert {name: callers["client one"].get(f"streams/{name}").status_code for name in FAMILIES} == {
        name: 403 if of.is_firm_only else 200 for name, of in FAMILIES.items()
    }
    assert callers["client one"].get("streams/fills?client=two").status_code == 404


REVOKED = Problem("key-revoked")


@pytest.mark.parametrize("good", [1, 2])
def test_a_stream_on_which_something_comes_all_the_time_ends_when_its_key_does(monkeypatch, good):
    """Between two beats, and between two pieces of what came: replaying years takes its time."""
    monkeypatch.setattr(news, "_A_PIECE", 1)
    everything = len(listen("fills", {}, 1).events)
    listener = listener_of("fills", FIRM, {}, *[None] * good, REVOKED)

    async def beats():
        for at in range(100):
            yield Beat(at, {"execution": at})

    chunks = chunks_of(listener, beats)
    assert troubles(chunks[-1:]) == ["key-revoked"]
    assert len(chunks) - 2 == good - 1 < everything
    assert not any(chunk.startswith(b":") for chunk in chunks)


def test_a_stream_ends_when_its_key_does(monkeypatch):
    monkeypatch.setattr(streams, "_HEARTBEAT_SECONDS", 0.0)
    listener = listener_of("fills", FIRM, reporting.log_marks(), None, None, None, REVOKED)

    async def beats():
        while True:
            yield Beat(1, {"execution": 1})

    chunks = chunks_of(listener, beats)
    assert [chunk for chunk in chunks if chunk.startswith(b":")] == [b": heartbeat\n\n"] * 2
    assert troubles(chunks) == ["key-revoked"]


def test_what_is_the_matter_with_keys_is_told_for_all_of_them_at_once(callers, django_assert_num_queries):
    good, revoked, outdated = (callers[name].key[5:17] for name in ("viewer", "quant", "operator"))
    revoke(revoked)
    Key.objects.filter(id=outdated).update(expires_at=timezone.now())
    with django_assert_num_queries(1):
        found = problems_of([good, revoked, outdated, "nobody"], timezone.now())
    assert {key: problem.code for key, problem in found.items()} == {
        revoked: "key-revoked", outdated: "key-outdated", "nobody": "key-unknown",
    }  # fmt: skip


def test_keys_of_all_who_listen_are_looked_at_together(monkeypatch):
    looks = []

    def look(keys, now):
        looks.append(sorted(keys))
        return {"b": REVOKED} if "b" in keys else {}

    monkeypatch.setattr(news, "problems_of", look)
    monkeypatch.setattr(news, "_KEYS_SECONDS", 600.0)

    async def run():
        with contextlib.ExitStack() as stack:
            named = ["a", "b", "c", "a"]
            keys = [stack.enter_context(news.watched(FIRM._replace(key=name, streams=2))) for name in named]
            found = await asyncio.gather(*(each.problem_of(name) for each, name in zip(keys, named, strict=True)))
            assert found == [None, REVOKED, None, None]
            assert await keys[0].problem_of("a") is None
            assert looks == [["a", "b", "c"]]
            keys[0]._until = 0.0
            assert await keys[0].problem_of("a") is None
        assert looks == [["a", "b", "c"]] * 2
        with news.watched(FIRM._replace(key="d")) as others:  # nobody else listens any more
            assert await others.problem_of("d") is None

    asyncio.run(run())
    assert looks[2:] == [["d"]]


def test_a_database_that_is_away_is_told_and_what_came_meanwhile_too(monkeypatch, caplog, trade):
    """Of a hundred who listen nobody is cut off, and the database is asked by one of them."""
    of, asked = FAMILIES["fills"], []
    is_away = threading.Event()

    def marks():
        asked.append(1)
        if is_away.is_set():
            raise OperationalError("connection refused\n\tIs the server running?")
        return of.marks()

    monkeypatch.setitem(FAMILIES, "fills", of._replace(marks=marks))
    monkeypatch.setattr(news, "_AWAY_SECONDS", 600.0)
    places = of.marks()

    async def run():
        goes_on, is_back = asyncio.Event(), asyncio.Event()
        begun = asyncio.Semaphore(0)
        told = asyncio.Semaphore(0)

        async def heard_by():
            async def beats():
                yield Beat(1, {"execution": 1})
                begun.release()
                await goes_on.wait()
                yield Beat(2, {"execution": 2})
                yield Beat(3, {"execution": 2})
                told.release()
                await is_back.wait()
                yield Beat(4, {"execution": 2})

            chunks = listener_of("fills", FIRM, places).events(beats())
            return [event async for chunk in chunks for event in apart(chunk)]

        hearing = [asyncio.create_task(heard_by()) for _ in range(100)]
        for _ in hearing:
            await asyncio.wait_for(begun.acquire(), 120)
        await asyncio.to_thread(trade)
        is_away.set()
        del asked[:]
        goes_on.set()
        for _ in hearing:
            await asyncio.wait_for(told.acquire(), 120)
        assert len(asked) == 1
        is_away.clear()
        news._NEWS["fills"]._asking._away_until = 0.0
        is_back.set()
        return await asyncio.gather(*hearing)

    everybody = asyncio.run(run())
    for chunks in everybody:
        assert troubles(chunks) == ["unavailable"]
        assert not any(b"id: " in chunk for chunk in chunks if chunk.startswith(b"event: problem"))
    wanted = [data for _, data in listen("fills", places, 1).events]
    heard = [orjson.loads(chunk.split(b"data: ")[1]) for chunk in everybody[0] if b"event: fills" in chunk]
    assert heard == wanted != []
    (line,) = [record for record in caplog.records if record.name == news.__name__]
    assert line.exc_info is None
    assert "\n" not in line.getMessage()


def test_a_key_that_cannot_be_looked_at_hears_nothing_until_it_can(traded):
    listener = listener_of("fills", FIRM, {}, AwayError("keys"), None, None, None)

    async def beats():
        for at in range(3):
            yield Beat(at, {"execution": 1})

    chunks = chunks_of(listener, beats)
    assert chunks[1].startswith(b"event: problem")
    assert troubles(chunks) == ["unavailable"]
    assert sum(b"event: fills" in chunk for chunk in chunks) == len(listen("fills", {}, 1).events) > 0


def test_our_own_mistake_ends_a_stream_in_words_and_a_line_of_the_log(monkeypatch, caplog):
    def onward(*_):
        raise ZeroDivisionError("secret")

    monkeypatch.setitem(FAMILIES, "fills", FAMILIES["fills"]._replace(onward=onward))

    async def beats():
        yield Beat(1, {"execution": 1})

    chunks = chunks_of(listener_of("fills", FIRM, {}), beats)
    assert troubles(chunks) == ["internal"]
    assert b"secret" not in b"".join(chunks)
    assert "ZeroDivisionError" in caplog.text
