"""Pictures: what stands where, and how it is told."""

from hypothesis import given
from hypothesis import strategies as st

from apps.console.charts import heat, waterfall


def test_a_map_has_the_best_score_of_each_place_and_the_best_tone_for_the_best():
    scores = [(5, 20, 1.0), (5, 20, 3.0), (10, 20, 2.0), (5, 50, -1.0), (10, 50, None)]
    found = heat(scores, higher_is_better=True)
    assert [(each.told, each.tone) for each in found.tiles] == [("5, 20: 3", 9), ("10, 20: 2", 7), ("5, 50: -1", 0)]
    assert [name for _, name in found.xs] == ["5", "10"]
    assert [name for _, name in found.ys] == ["20", "50"]
    assert (found.low, found.high) == (-1.0, 3.0)
    assert found.tiles[0].y > found.tiles[2].y  # the smallest value is below


def test_where_less_is_better_the_least_has_the_best_tone():
    found = heat([(1, "", 5.0), (2, "", 1.0)], higher_is_better=False)
    assert {each.told: each.tone for each in found.tiles} == {"1: 5": 0, "2: 1": 9}


def test_without_a_score_there_is_no_map():
    assert heat([(1, 2, None), (1, 2, float("nan"))], higher_is_better=True) is None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.floats(-9, 9)), min_size=1, max_size=80))
def test_every_tile_is_within_its_picture(scores):
    found = heat(scores, higher_is_better=True)
    assert len(found.tiles) == len({(x, y) for x, y, _ in scores})
    for each in found.tiles:
        assert 0 <= each.x <= found.width - found.tile + 0.01
        assert 0 <= each.y <= found.height - found.tile
        assert 0 <= each.tone <= 9


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**9)), max_size=30))
def test_every_stage_of_a_waterfall_is_seen_and_within_it(drawn):
    times = [(begin, begin + took) for begin, took in drawn]
    for bit in waterfall(times):
        assert bit.length >= 3
        assert bit.x >= 0
        assert bit.x + bit.length <= bit.width + 1
