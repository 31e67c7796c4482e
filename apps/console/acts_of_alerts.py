"""Acts on alerts: acknowledged, silenced for a time, and the rules that raise them."""

from collections.abc import Mapping

from django.db import Error

from apps.alerts import interface as alerts
from apps.alerts.interface import MEASURES, NewRule
from apps.console.kinds import Danger, Done, Given, Kind, NothingChangesError
from apps.console.recording import Facts

RULE = ("rule", "measure", "subject", "bound", "clears_below", "for_seconds", "is_grave", "is_on", "mail_to")
_WORDS = {
    "measure": "Looks at", "subject": "Of", "bound": "Raised at", "clears_below": "Over below",
    "for_seconds": "After", "is_grave": "Grave", "is_on": "Switched on", "mail_to": "Mailed to",
}  # fmt: skip
_NAMED_MAX = 8
SILENCE_MINUTES = {"15": "15 minutes", "60": "an hour", "480": "8 hours", "1440": "a day", "10080": "a week"}


def who(why: str) -> str:
    """Return who acts, from what an act is done for."""
    return why.partition(":")[0]


def _acknowledged(given: Given) -> Facts:
    found = alerts.alert(given["alert"])
    return {"alert": str(found), "text": found.text, "acknowledged by": found.acknowledged_by}


def _acknowledges(given: Given) -> list[str]:
    found = alerts.alert(given["alert"])
    return [found.text, "It stays open until it is over, and is said to be looked at by you."]


def _acknowledge(given: Given, why: str, _: str) -> Done:
    found = alerts.acknowledge(given["alert"], who(why))
    return f"Acknowledged: {found}.", {"acknowledged by": who(why)}


def _silences(given: Given) -> list[str]:
    alerts.rule(given["rule"])
    of = f" of {given['subject']}" if given["subject"] else ""
    minutes = SILENCE_MINUTES.get(given["minutes"], f"{given['minutes']} minutes")
    return [
        f"Alerts of the rule “{given['rule']}”{of} are told to nobody for {minutes}.",
        "There is no mail of them, and they are not on the overview.",
        "They are raised and ended all the same, and stand on the page of alerts.",
    ]


def _silenced(given: Given) -> Facts:
    found = [each for each in alerts.silences() if (each.rule, each.subject) == (given["rule"], given["subject"])]
    return {"silenced until": [f"{each.until:%Y-%m-%d %H:%M} UTC" for each in found]}


def _silence(given: Given, why: str, _: str) -> Done:
    made = alerts.silence(given["rule"], given["subject"], given["minutes"], why=why, by=who(why))
    told = f"{made.until:%Y-%m-%d %H:%M} UTC"
    return f"Silenced until {told}: {made}.", {"silenced until": told}


def _ends_silence(given: Given) -> list[str]:
    found = _in_force(given)
    return [f"Alerts of {found} are told again: {found.why}"] if found else [f"There is no silence {given['silence']}."]


def _in_force(given: Given) -> alerts.Silence | None:
    return next((each for each in alerts.silences() if str(each.pk) == given["silence"]), None)


def _end_silence(given: Given, _: str, __: str) -> Done:
    found = alerts.end_silence(given["silence"])
    return f"Alerts of {found} are told again.", {}


def new_rule(given: Given) -> NewRule:
    """Return a rule as an address holds it."""
    return NewRule(
        given["rule"], given["measure"], given["subject"], given["bound"], given["clears_below"], given["for_seconds"],
        given["is_grave"] == "yes", given["is_on"] == "yes", given["mail_to"],
    )  # fmt: skip


def _values(name: str) -> Facts:
    found = next((each.of for each in alerts.rules() if each.of.name == name), None)
    return {} if found is None else {field: getattr(found, field) for field in _WORDS}


def _defines(given: Given) -> list[str]:
    wanted, before = alerts.checked(new_rule(given)), _values(given["rule"])
    told = ["It is changed." if before else "It is a new rule."]
    for field, word in _WORDS.items():
        if not before or before[field] != wanted[field]:
            was = f", was {_said(field, before[field], before)}" if before else ""
            told.append(f"{word}: {_said(field, wanted[field], wanted)}{was}.")
    if before and len(told) == 1:
        raise NothingChangesError("Nothing changes: this is the rule already.")
    return [*told, _as_things_are(given)]


def _said(field: str, value: object, of: Mapping[str, object]) -> str:
    """Return a value of a rule in words, with its unit."""
    measure = MEASURES.get(str(of["measure"]))
    match field:
        case "measure":
            return measure.title if measure else str(value)
        case "bound" | "clears_below":
            return f"{value:,.15g} {measure.unit if measure else ''}".strip()
        case "for_seconds":
            return f"{value:,} s"
        case "is_grave" | "is_on":
            return "yes" if value else "no"
        case "subject":
            return str(value) or "all"
        case _:
            return str(value) or "nobody"


def _as_things_are(given: Given) -> str:
    try:
        readings = MEASURES[given["measure"]].read()
    except Error:
        return "Whether it would be raised now cannot be told: whom to ask is away."
    bound = float(given["bound"])
    over = [
        f"{subject or 'all'} ({reading.value:,.10g})"
        for subject, reading in readings.items()
        if reading.value >= bound and given["subject"] in ("", subject)
    ]
    if not over:
        return "As things are, it would not be raised."
    more = f" and {len(over) - _NAMED_MAX} more" if len(over) > _NAMED_MAX else ""
    return f"As things are, it would be raised for {', '.join(over[:_NAMED_MAX])}{more}."


def _define(given: Given, _: str, __: str) -> Done:
    made = alerts.set_rule(new_rule(given))
    return f"The rule “{made}” is set.", _values(made.name)


def _remove(given: Given, _: str, __: str) -> Done:
    alerts.remove_rule(given["rule"])
    return f"The rule “{given['rule']}” is removed.", {}


def _removes(given: Given) -> list[str]:
    alerts.rule(given["rule"])
    return ["Nobody looks at this any more. What it has raised is over with the next look."]


ALERT_KINDS = (
    Kind("alert.acknowledge", "Acknowledge the alert", "Acknowledge", Danger.NONE, _acknowledges, _acknowledged,
         _acknowledge, about=("alert",)),
    Kind("alert.silence", "Silence alerts for a time", "Silence", Danger.SOME, _silences, _silenced, _silence,
         about=("rule", "subject", "minutes"), named_by=("rule", "subject")),
    Kind("alert.tell-again", "Tell alerts again", "Tell again", Danger.NONE, _ends_silence,
         lambda given: {"silence": str(_in_force(given) or "none")}, _end_silence, about=("silence",)),
    Kind("alert.rule", "Set a rule of alerts", "Set it", Danger.SOME, _defines, lambda given: _values(given["rule"]),
         _define, about=RULE, named_by=("rule",)),
    Kind("alert.remove-rule", "Remove a rule of alerts", "Remove it", Danger.SOME, _removes,
         lambda given: _values(given["rule"]), _remove, about=("rule",)),
)  # fmt: skip
