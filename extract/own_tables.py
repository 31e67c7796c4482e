"""A context's tables of its own, beside its logs: who leads from now on, or for good, has the rows of who did."""

from collections.abc import Mapping, Sequence

from django.apps import apps
from django.db import models, transaction

from banyan.facade import Side
from extract.sides import alias_of

_CHANGED: Mapping[str, Mapping[str, bool]] = {
    "feeds": {"Instrument": False, "Feed": True},
    "signals": {"StrategySet": True},
}
"""The tables of a context in which people change rows, and whether what is gone goes; no others are brought of it."""
_OF_A_SIDE = ("parked_because",)
"""What each side says itself, of a row that both have."""


def bring_along(context: str, to: Side, *, anew: bool = False) -> int:
    """Give a side the rows of the context's own tables that only the other one has; return how many it now has.

    Rows that both have stay as they are: they are written once. Where people change them they are made equal, but for
    what a side has found out itself; where that side begins `anew`, in that too.
    """
    there, here = alias_of(context, to.other), alias_of(context, to)
    count = 0
    for model in _models(context):
        rows = list(model._default_manager.using(there).all())
        if context in _CHANGED:
            names = [
                each.attname
                for each in model._meta.concrete_fields
                if not getattr(each, "auto_now", False) and (anew or each.attname not in _OF_A_SIDE)
            ]
            _make_equal(model, rows, here, names, takes_away=_CHANGED[context][model.__name__])
        else:
            model._default_manager.using(here).bulk_create(rows, ignore_conflicts=True)
        count += model._default_manager.using(here).count()
    return count


def is_changed_by_people(context: str) -> bool:
    """Tell whether a context has tables that may change at any time, so that the side that follows needs them soon."""
    return context in _CHANGED


def _models(context: str) -> list[type[models.Model]]:
    found = list(apps.get_app_config(context).get_models())
    return [each for each in found if each.__name__ in _CHANGED[context]] if context in _CHANGED else found


def _make_equal(
    model: type[models.Model], rows: Sequence[models.Model], alias: str, names: Sequence[str], *, takes_away: bool
) -> None:
    manager = model._default_manager.using(alias)
    there = {row.pk: _values(row, names) for row in manager.all()}
    changed = [row for row in rows if there.get(row.pk) != _values(row, names)]
    gone = there.keys() - {row.pk for row in rows} if takes_away else set()
    if not (changed or gone):
        return
    with transaction.atomic(using=alias):
        manager.filter(pk__in=gone).delete()
        manager.bulk_create(
            changed, update_conflicts=True, unique_fields=["pk"],
            update_fields=[
                each.name for each in model._meta.concrete_fields if each.attname in names and not each.primary_key
            ],
        )  # fmt: skip


def _values(row: models.Model, names: Sequence[str]) -> list[object]:
    return [getattr(row, name) for name in names]
