"""A context's tables of its own, beside its logs: who leads from now on, or for good, has the rows of who did."""

from django.apps import apps

from banyan.facade import Side
from extract.sides import alias_of


def bring_along(context: str, to: Side) -> int:
    """Give a side the rows of the context's own tables that only the other one has; return how many it now has.

    Rows that both have stay as they are: they are written once.
    """
    there, here = alias_of(context, to.other), alias_of(context, to)
    count = 0
    for model in apps.get_app_config(context).get_models():
        rows = list(model._default_manager.using(there).all())
        model._default_manager.using(here).bulk_create(rows, ignore_conflicts=True)
        count += model._default_manager.using(here).count()
    return count
