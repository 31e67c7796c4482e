"""Runs in the database: whole, found by a few letters, and the same to the last bit when they come back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from apps.backtest import store
from apps.backtest.compare import compare, described
from apps.backtest.models import Run, RunArray
from apps.backtest.request import RunRequest
from apps.backtest.result import Result

pytestmark = pytest.mark.django_db(databases=["backtest"])


def test_stored_run_comes_back_bit_for_bit(made_result: Result, request_of_spy: RunRequest) -> None:
    run = store.save(made_result, request_of_spy, source="# the strategy")
    back = store.result(store.find(run.short_id))
    for name in store.ARRAYS:
        before, after = getattr(made_result, name), getattr(back, name)
        assert (before is None) == (after is None)
        if before is not None:
            assert before.dtype == after.dtype
            assert before.tobytes() == after.tobytes()
    assert back.params == made_result.params
    assert back.metrics == {**made_result.metrics, "sharpe": None}
    assert run.source == "# the strategy"
    assert store.digests(back) == run.digests


def test_request_of_a_stored_run_can_be_asked_again(made_result: Result, request_of_spy: RunRequest) -> None:
    run = store.save(made_result, request_of_spy, source="", extra={"search": {"trials": 3}})
    stored = Run.objects.get(pk=run.pk)
    assert RunRequest.from_json(store.without_extra(stored.request)) == request_of_spy
    assert stored.request["search"] == {"trials": 3}


def test_run_whose_arrays_cannot_be_stored_is_not_stored_at_all(
    made_result: Result, request_of_spy: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(RunArray.objects, "bulk_create", fail)
    with pytest.raises(RuntimeError, match="disk"):
        store.save(made_result, request_of_spy, source="")
    assert not Run.objects.exists()


def test_array_that_has_changed_in_the_database_is_refused(made_result: Result, request_of_spy: RunRequest) -> None:
    run = store.save(made_result, request_of_spy, source="")
    changed = made_result.equity.copy()
    changed[5] = np.nextafter(changed[5], np.inf)
    RunArray.objects.filter(run=run, name="equity").update(packed=store.packed(changed))
    with pytest.raises(store.StoredRunError, match="equity"):
        store.result(run)


def test_damaged_bytes_are_refused(made_result: Result, request_of_spy: RunRequest) -> None:
    run = store.save(made_result, request_of_spy, source="")
    RunArray.objects.filter(run=run, name="fill_records").update(packed=b"not zlib")
    with pytest.raises(store.StoredRunError, match="damaged"):
        store.result(run)


def test_run_is_found_by_the_first_letters_of_its_id(made_result: Result, request_of_spy: RunRequest) -> None:
    run = store.save(made_result, request_of_spy, source="")
    assert store.find(run.short_id[:3].upper()) == run
    assert store.find("last") == run


def test_letters_of_no_run_and_of_two_runs_are_refused(made_result: Result, request_of_spy: RunRequest) -> None:
    for ending in "ab":
        run = store.save(made_result, request_of_spy, source="")
        Run.objects.filter(pk=run.pk).update(short_id=f"kkkkkkk{ending}")
    with pytest.raises(store.RunNotFoundError, match="kkkkkkka"):
        store.find("kkk")
    with pytest.raises(store.RunNotFoundError, match="manage.py runs"):
        store.find("zzz")


def test_without_any_run_the_last_one_is_refused() -> None:
    with pytest.raises(store.RunNotFoundError, match="backtest"):
        store.find("last")


def test_comparison_shows_only_what_differs(made_result: Result, request_of_spy: RunRequest) -> None:
    first = store.save(made_result, request_of_spy, source="")
    other = replace(
        made_result, params={**made_result.params, "fast": 10}, metrics={**made_result.metrics, "final_equity": 7.0}
    )
    second = store.save(other, request_of_spy, source="")
    found = compare([first, second])
    assert found.differences == {"param fast": [20, 10]}
    assert found.metrics["final_equity"] == [first.metrics["final_equity"], 7.0]
    assert described(first)["environment cpu.cores"] == 2
