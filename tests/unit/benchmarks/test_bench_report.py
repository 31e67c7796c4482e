"""The table of the benchmarks."""

from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table, agreement, as_json, render
from tests.benchmarks.works import Must

FACTS = {"final_equity": 100.0, "n_fills": 10}


def table(*rows: Row, must: tuple[Must, ...] = ()) -> Table:
    return Table("W1", "a work", "s", list(rows), must)


def test_a_bound_holds_by_the_median_not_by_the_best() -> None:
    slow_twice = table(Row("banyan", [0.001, 0.02, 0.03]), must=(Must("seconds", 0.012),))
    assert [holds for _, holds in slow_twice.verdicts()] == [False]
    fast_twice = table(Row("banyan", [0.001, 0.002, 0.03]), must=(Must("seconds", 0.012),))
    assert [holds for _, holds in fast_twice.verdicts()] == [True]


def test_a_multiple_of_plain_c_is_of_the_medians() -> None:
    rows = Row("banyan", [0.010]), Row("plain C", [0.004])
    assert table(*rows, must=(Must("times_c", 3),)).verdicts() == [("banyan must be at most 3 x plain C: 2.50 x", True)]
    assert table(*rows, must=(Must("times_c", 2),)).verdicts()[0][1] is False


def test_a_rate_must_be_at_least_its_bound() -> None:
    rate = Table("W4b", "events", "/s", [Row("banyan", [4e5])], (Must("per_second", 5e5),))
    assert rate.verdicts()[0][1] is False


def test_a_small_rate_is_not_shown_as_none() -> None:
    assert "512/s" in render([Table("details", "reads", "/s", [Row("banyan", [512.0])])], {})


def test_what_could_not_be_measured_does_not_hold() -> None:
    missing = table(Row("banyan", note="failed: it ended"), must=(Must("seconds", 1.0),))
    assert missing.verdicts()[0][1] is False
    assert "failed: it ended" in render([missing], {})


def test_another_result_is_called_out() -> None:
    ours, other = Row("banyan", [1.0], facts=FACTS), Row("peer", [1.0], facts=FACTS | {"n_fills": 9})
    assert agreement(ours, other) == "NO: 9 fills, ours 10, equity within 0e+00"
    assert agreement(ours, Row("peer", [1.0], facts=FACTS)).startswith("yes")
    assert agreement(ours, Row("peer", [1.0], facts=FACTS | {"final_equity": 101.0})).startswith("NO")


def test_a_difference_of_nothing_is_no_measure_of_others() -> None:
    rendered = render([table(Row("banyan", [0.0]), Row("peer", [1.0]))], {})
    assert "1000.00 ms" in rendered or "1.00 s" in rendered
    assert " x |" not in rendered


def test_many_results_are_compared_one_by_one() -> None:
    ours = Row("banyan", [1.0], facts={"final_equity": [1.0, 2.0], "n_fills": [3, 4]})
    other = Row("peer", [1.0], facts={"final_equity": [1.0, 2.1], "n_fills": [3, 5]})
    assert agreement(ours, other) == "NO: other fills in 1 of 2, equity within 5e-02"


def test_the_json_keeps_samples_and_medians_but_no_long_lists() -> None:
    row = Row("banyan", [1.0, 3.0, 2.0], facts={"final_equity": [1.0, 2.0], "n_fills": 4})
    kept = as_json([table(row)], {})["works"][0]["rows"][0]
    assert (kept["median"], kept["samples"], kept["facts"]) == (2.0, [1.0, 3.0, 2.0], {"n_fills": 4})


def test_a_ratio_must_be_at_most_its_bound() -> None:
    beside = Table("beside", "on against off", "x", [Row("banyan", [1.25])], (Must("ratio", 1.2),))
    assert beside.verdicts() == [("banyan must be at most 1.2 x: 1.25 x", False)]
