"""Acts on what is in quarantine: let in, as it was read or corrected, and given up."""

from apps.console.acts_of_alerts import who
from apps.console.kinds import Danger, Done, Given, Kind
from apps.console.recording import Facts
from apps.feeds import interface as feeds
from banyan.commands import counted


class WrittenError(ValueError):
    """What names a record or its values cannot be read; the message says how it is written."""

    exit_code = 2


def values_written(values: dict[str, str]) -> str:
    """Return columns as one line, such as "open=1.1 high=1.2"."""
    return " ".join(f"{name}={text.strip()}" for name, text in values.items())


def values_read(text: str) -> dict[str, str]:
    """Return the columns that a line says. Raises WrittenError."""
    parts = [each.partition("=") for each in text.split()]
    if any(not equals for _, equals, _ in parts):
        raise WrittenError(f"{text!r} are no values such as open=1.1 high=1.2")
    return {name: value for name, _, value in parts}


def columns_told(values: dict[str, float]) -> str:
    """Return columns in words."""
    return ", ".join(f"{name} {value:.12g}" for name, value in values.items())


def places_read(text: str) -> list[tuple[int, int]]:
    """Return the places of records of a live feed that "12.0,13.1" says. Raises WrittenError."""
    parts = [each.partition(".") for each in text.split(",")]
    if any(not (number + event).isdecimal() or len(number) > 18 or len(event) > 9 for number, _, event in parts):
        raise WrittenError(f"{text!r} are no places such as 12.0,13.1")
    return [(int(number), int(event or 0)) for number, _, event in parts]


def _number(given: Given) -> int:
    if not given["record"].isdecimal() or len(given["record"]) > 18:
        raise WrittenError(f"{given['record']!r} is no number of a record")
    return int(given["record"])


def _stands(given: Given) -> Facts:
    found = feeds.quarantined_row(_number(given))
    if found is None:
        return {}
    return {
        "instrument": found.instrument, "interval": found.interval, "file": found.file, "line": found.line,
        "reason": found.reason, "state": found.state, "text": found.text[:200],
    }  # fmt: skip


def _releases(given: Given) -> list[str]:
    plan = feeds.quarantine_plan(_number(given), given["time"], values_read(given["values"]))
    return [*_gets(plan), "Whoever reads these data from now on has it; runs of before were made without it."]


def _gets(plan: "feeds.Release") -> list[str]:
    """Return what a release writes into stored history, in words."""
    told = [f"{plan.series} gets the row of {plan.time:%Y-%m-%d %H:%M:%S} UTC: {columns_told(plan.values)}."]
    if plan.replaces is not None:
        told.append(f"It takes the place of what is stored at that time: {columns_told(plan.replaces)}.")
    if plan.is_corrected:
        told.append("It is corrected, and fits the rows that are stored before and after it.")
    else:
        told.append("It is as it was read: with this you say that it is true.")
    return told


def _release(given: Given, why: str, _: str) -> Done:
    values = values_read(given["values"])
    plan = feeds.quarantine_release(_number(given), given["time"], values, by=who(why), why=_reason(why))
    after = {"time": f"{plan.time:%Y-%m-%d %H:%M:%S} UTC", **plan.values, "replaced": plan.replaces or "nothing"}
    return f"Let in: {plan.series} at {plan.time:%Y-%m-%d %H:%M:%S} UTC.", after


def _discards(given: Given) -> list[str]:
    found = feeds.quarantined_row(_number(given))
    if found is None:
        raise WrittenError(f"there is no record {given['record']} in quarantine")
    if found.state != "open":
        return [f"It was {found.state} already, by {found.decided_by}."]
    return [
        f"{found.file}:{found.line} is not let in, and is open no longer.",
        "It stays where it is, with your reason. Importing the same file again does not bring it back.",
    ]


def _discard(given: Given, why: str, _: str) -> Done:
    feeds.quarantine_discard(_number(given), by=who(why), why=_reason(why))
    return f"Record {given['record']} is discarded.", {"state": "discarded"}


def _open_of(given: Given) -> Facts:
    return {"open": feeds.quarantine_count(given["instrument"], given["reason"], given["file"])}


def _discards_all(given: Given) -> list[str]:
    count = feeds.quarantine_count(given["instrument"], given["reason"], given["file"])
    if str(count) != given["count"]:
        raise WrittenError(f"it finds {counted(count, 'open record')} now, and {given['count']} were shown: look again")
    which = [
        f"{word} {given[name]}"
        for name, word in (("instrument", "of"), ("reason", "for the reason"), ("file", "of files with"))
        if given[name]
    ]
    return [
        f"{counted(count, 'open record')} {', '.join(which) or 'of all files'}: none is let in, and none is open then.",
        "They stay where they are, with your reason.",
    ]


def _discard_all(given: Given, why: str, _: str) -> Done:
    count = int(given["count"]) if given["count"].isdecimal() else -1
    feeds.quarantine_discard_all(
        given["instrument"], given["reason"], given["file"], count, by=who(why), why=_reason(why)
    )
    return f"{counted(count, 'record')} discarded.", _open_of(given)


def _discards_live(given: Given) -> list[str]:
    count = len(places_read(given["places"]))
    return [
        f"{counted(count, 'record')} of feed {given['feed']} are open no longer.",
        "They stay in the feed's log, with your reason; stored history does not get them.",
    ]


def _discard_live(given: Given, why: str, _: str) -> Done:
    places = places_read(given["places"])
    count = feeds.quarantine_discard_live(given["feed"], places, by=who(why), why=_reason(why))
    return f"{counted(count, 'record')} of feed {given['feed']} discarded.", {"discarded": count}


def _place(given: Given) -> tuple[int, int]:
    places = places_read(given["places"])
    if len(places) != 1:
        raise WrittenError(f"{given['places']!r} is no place of one record, such as 12.0")
    return places[0]


def _series(given: Given) -> int:
    if not given["series"].isdecimal() or len(given["series"]) > 9:
        raise WrittenError(f"{given['series']!r} is no number of a series")
    return int(given["series"])


def _live_stands(given: Given) -> Facts:
    found = feeds.quarantined_live_row(given["feed"], *_place(given))
    if found is None:
        return {}
    return {"instrument": found.instrument, "reason": found.reason, "record": found.record[:200]}


def _releases_live(given: Given) -> list[str]:
    values = values_read(given["values"])
    plan = feeds.quarantine_live_plan(given["feed"], _place(given), _series(given), given["time"], values)
    return [
        *_gets(plan),
        "Stored history gets it, which backtests and charts read. Bars that have closed live stay as they are.",
    ]


def _release_live(given: Given, why: str, _: str) -> Done:
    plan = feeds.quarantine_live_release(
        given["feed"], _place(given), _series(given), given["time"], values_read(given["values"]), by=who(why),
        why=_reason(why),
    )  # fmt: skip
    after = {"time": f"{plan.time:%Y-%m-%d %H:%M:%S} UTC", **plan.values, "replaced": plan.replaces or "nothing"}
    return f"Let in: {plan.series} at {plan.time:%Y-%m-%d %H:%M:%S} UTC.", after


def _reason(why: str) -> str:
    """Return why, without who."""
    return why.partition(": ")[2]


QUARANTINE_KINDS = (
    Kind("quarantine.release", "Let a record in", "Let it in", Danger.SOME, _releases, _stands, _release,
         about=("record", "time", "values"), named_by=("record",)),
    Kind("quarantine.discard", "Discard a record", "Discard", Danger.SOME, _discards, _stands, _discard,
         about=("record",)),
    Kind("quarantine.discard-all", "Discard all that was found", "Discard them", Danger.GREAT, _discards_all, _open_of,
         _discard_all, about=("instrument", "reason", "file", "count"), word="DISCARD"),
    Kind("quarantine.release-live", "Let a record of a live feed into history", "Let it in", Danger.SOME,
         _releases_live, _live_stands, _release_live, about=("feed", "places", "series", "time", "values"),
         named_by=("feed", "places")),
    Kind("quarantine.discard-live", "Discard records of a live feed", "Discard", Danger.SOME, _discards_live,
         lambda _: {}, _discard_live, about=("feed", "places")),
)  # fmt: skip
