"""What happens in the demonstration, in its order."""

import time
from collections.abc import Callable, Sequence

from extract.demo.stage import DemoError, Place

ACCOUNTS = 100
_EURUSD = "OANDA:EURUSD"
_DAY = "2014-05-02T"
_TICKS = "apps/feeds/sample/eurusd_ticks_2014-05-02.csv.gz"
_SETS = {"trend": ("ema_cross", ("fast=3", "slow=8")), "revert": ("bollinger_reversion", ())}
Say = Callable[[str], None]
_ANY_PORT = ("--health", "127.0.0.1:0")
_WATCHED = ("--minutes", "0", "--records", "5")


def tell(place: Place, say: Say) -> bool:
    """Carve risk out and bring it back; return whether all invariants hold."""
    began = time.monotonic()

    def chapter(text: str) -> None:
        say(f"\n[{time.monotonic() - began:5.1f} s] {text}")

    _in_shadow(place, chapter)
    _handed_over(place, say, chapter)
    chapter("what must hold of every order and every lot held all the way")
    is_well = _verify(place, say)
    say(f"\n{time.monotonic() - began:.0f} s in all")
    return is_well


def _in_shadow(place: Place, chapter: Say) -> None:
    chapter(f"an app that trades: two strategy sets on real ticks, {ACCOUNTS} paper accounts, risk decided in the app")
    _prepare(place)
    place.start("app", "manage.py", "run")
    _replay(place, "12:00", "12:08")
    chapter("risk's service follows: the app goes on deciding, the service only says what it would have decided")
    place.type("topics", "apply", shows=False)
    place.type("extract", "shadow", "risk", "--why", "first day")
    place.migrate_service()
    place.start("planted", "-m", "extract.demo.planted", *_ANY_PORT)
    _follow(place)
    _replay(place, "12:08", "12:18")
    chapter("the service has a mistake: it is seen, looked into and frozen as a regression test; nobody traded by it")
    _level(place)
    _show_differences(place)
    place.kill("planted")
    chapter("the mistake is mended, and the service begins anew")
    place.start("service", "-m", "extract.risk", *_ANY_PORT)
    _follow(place)
    place.type("extract", "noise", "risk")
    _replay(place, "12:18", "12:26")
    _level(place)


def _handed_over(place: Place, say: Say, chapter: Say) -> None:
    chapter("10 % of the shards are handed over, then all")
    place.type("extract", "canary", "risk", "--percent", "10", "--why", "no difference", *_WATCHED)
    _replay(place, "12:26", "12:32")
    _level(place)
    place.type("extract", "live", "risk", "--why", "no difference", *_WATCHED)
    _replay(place, "12:32", "12:38")
    chapter("the service is killed: a guard brings risk back to the app")
    place.kill("service")
    seconds = place.wait("the guard", lambda: place.status()["stage"] == "shadow")
    say(f"  the app leads again {seconds:.1f} s after the kill")
    place.type("extract", "log", "risk", "--most", "1")
    _replay(place, "12:38", "12:42")
    chapter("it comes back, leads all, and the app may be run without risk: it is extracted; and the whole way back")
    place.start("service", "-m", "extract.risk", *_ANY_PORT)
    _level(place)
    _replay(place, "12:42", "12:44")
    _level(place)
    place.type("extract", "live", "risk", "--why", "a new machine", *_WATCHED)
    _level(place)  # each shard's way over is in two records, which the app has to have followed
    place.type("extract", "extract", "risk", "--why", "done", *_WATCHED)
    _replay(place, "12:44", "12:46")
    place.type("extract", "rollback", "risk", "--why", "to show the way back")
    _level(place)
    place.type("extract", "rollback", "risk", "--why", "to show the way back")
    place.type("extract", "rollback", "risk", "--why", "to show the way back")
    _replay(place, "12:46", "12:50")


def _prepare(place: Place) -> None:
    def quietly(*arguments: str) -> None:
        place.type(*arguments, shows=False)

    quietly("migrate", "--verbosity", "0")
    quietly("import_ticks", _TICKS, "--instrument", _EURUSD)
    for name, (strategy, parameters) in _SETS.items():
        given: Sequence[str] = [word for each in parameters for word in ("-p", each)]
        quietly("sets", "define", name, "--strategy", strategy, "--instrument", _EURUSD, "--interval", "1m", *given)
        quietly("sets", "start", name)
    count = ("--count", str(ACCOUNTS))
    quietly("accounts", "open", "DEMO", *count, "--client", "demo", "--deposit", "100000")
    for name in _SETS:
        quietly(
            "accounts", "subscribe", "DEMO", *count, "--set", name, "--allocation", "0.5", "--join", "converge"
        )  # fmt: skip


def _replay(place: Place, first: str, last: str) -> None:
    place.type(
        "replay", _EURUSD, "--interval", "tick", "--bars", "1m", "--from", f"{_DAY}{first}", "--to", f"{_DAY}{last}",
        "--lockstep", shows=False,
    )  # fmt: skip


def _follow(place: Place) -> None:
    """Wait until every shard is followed from a seed."""
    wanted = ("extract", "seed", "risk", "--seconds", "5")
    place.wait("followers", lambda: "NO FOLLOWER" not in place.type(*wanted, shows=False, may_fail=True))


def _level(place: Place) -> None:
    """Wait until the follower has been compared as far as the leader has decided."""
    place.wait("the follower", lambda: all(each["number"] == each["compared"] for each in place.status()["keys"]))


def _show_differences(place: Place) -> None:
    place.type("extract", "diff", "risk", "--most", "3")
    lines = place.type("extract", "diff", "risk", "--most", "1", shows=False).split()
    if not lines:
        raise DemoError("nothing differs, though a mistake was planted")
    place.type("extract", "fixture", "risk", lines[0], "--to", str(place.folder / "regressions"))


def _verify(place: Place, say: Say) -> bool:
    """Check what must hold of orders and lots, and between the sides."""
    between = place.type("extract", "verify", "risk", shows=False, may_fail=True)
    until = time.monotonic() + 30.0
    while True:
        told = place.type("verify", shows=False, may_fail=True)
        is_well = "BROKEN" not in told and bool(told)
        if is_well or time.monotonic() > until:
            for line in (*told.splitlines(), *between.splitlines()):
                say(f"  {line}")
            return is_well and "BROKEN" not in between
        time.sleep(0.5)
