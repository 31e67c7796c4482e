from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.backtest.report.html import (
    write_montecarlo_report,
    write_report,
    write_sweep_report,
    write_walkforward_report,
)
from apps.backtest.report.packing import pack
from tests.unit.report.example_runs import (
    SPY,
    cross_run,
    daily_bars,
    eurusd_bars,
    example_montecarlo,
    example_sweep,
    example_walk,
    two_stocks,
)

pytestmark = pytest.mark.chromium

ATTACK = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'"""
WHITE, NIGHT = "rgb(255, 255, 255)", "rgb(21, 27, 35)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def hourly(folder) -> Path:
    return write_report(cross_run(eurusd_bars(20_000), 30, 120, notes=("A note.",)), folder / "hourly.html")


@pytest.fixture(scope="module")
def pages(folder, hourly) -> dict[str, Path]:
    stock = cross_run(daily_bars("spy"), instrument=SPY, short=False)
    bare = replace(stock, trade_records=stock.trade_records[:0], benchmark=None, metrics={"sharpe": None})
    one = replace(
        bare,
        time=stock.time[:1],
        equity=stock.equity[:1],
        exposure=stock.exposure[:1],
        bars=(),
        metrics={},
        manifest={},
    )
    return {
        "hourly": hourly,
        "several": write_report(two_stocks(), folder / "several.html"),
        "bare": write_report(bare, folder / "bare.html"),
        "one": write_report(one, folder / "one.html"),
        "sweep": write_sweep_report(example_sweep(stock), folder / "sweep.html"),
        "walk": write_walkforward_report(example_walk(stock), folder / "walk.html"),
        "paths": write_montecarlo_report(example_montecarlo(), folder / "paths.html"),
    }


def _span(page, name="price"):
    """The days that a chart shows."""
    return page.evaluate(
        "name => { const d = document.getElementById(`${name}-chart`).dataset;"
        " return (new Date(d.to) - new Date(d.from)) / 864e5; }",
        name,
    )


def _settled(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


KINDS = ["hourly", "several", "bare", "one", "sweep", "walk", "paths"]


@pytest.mark.parametrize("kind", KINDS)
def test_page_fits_a_phone_and_has_no_accessibility_violations_in_the_dark(open_report, find_violations, pages, kind):
    page = open_report(pages[kind], width=390, dark=True, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.documentElement.clientWidth") == 390
    assert find_violations(page) == []


@pytest.mark.parametrize("kind", KINDS)
def test_page_has_no_accessibility_violations_on_a_desk_by_day(open_report, find_violations, pages, kind):
    assert find_violations(open_report(pages[kind])) == []


def test_definition_on_screen_has_no_accessibility_violations(open_report, find_violations, hourly):
    page = open_report(hourly)
    page.locator("#metrics .term", has_text="Sharpe ratio").focus()
    assert find_violations(page) == []


def test_charts_are_drawn(open_report, hourly):
    page = open_report(hourly)
    _settled(page)
    for name in ("equity", "price"):
        colours = page.evaluate(
            """(name) => Math.max(...[...document.querySelectorAll(`#${name}-chart canvas`)].map((canvas) => {
              const { width, height } = canvas;
              if (width < 300) return 0;
              const data = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
              return new Set(data).size;
            }))""",
            name,
        )
        assert colours > 8
    assert page.locator("#equity-chart .still").count() == 0


def test_range_buttons_and_keys_change_what_is_seen(open_report, hourly):
    page = open_report(hourly)
    whole = _span(page)
    assert whole > 1000
    page.locator("#price [data-days='30']").click()
    _settled(page)
    assert 25 < _span(page) < 35
    assert page.locator("#price [data-days='30']").get_attribute("aria-pressed") == "true"
    page.locator("#price-chart").focus()
    month = _span(page)
    page.keyboard.press("+")
    _settled(page)
    assert _span(page) < 0.7 * month
    before = page.locator("#price-chart").get_attribute("data-from")
    page.keyboard.press("ArrowLeft")
    _settled(page)
    assert page.locator("#price-chart").get_attribute("data-from") < before
    page.keyboard.press("Home")
    _settled(page)
    assert _span(page) == whole


def test_wheel_scrolls_the_page_until_the_chart_is_clicked_and_then_zooms(open_report, hourly):
    page = open_report(hourly)
    chart = page.locator("#price-chart")
    chart.scroll_into_view_if_needed()
    whole = _span(page)
    chart.hover()
    page.mouse.wheel(0, -50)
    _settled(page)
    assert _span(page) == whole
    chart.click()
    for _ in range(4):
        page.mouse.wheel(0, -120)
    page.wait_for_function(
        "whole => { const d = document.getElementById('price-chart').dataset;"
        " return (new Date(d.to) - new Date(d.from)) / 864e5 < 0.9 * whole; }",
        arg=whole,
    )


def test_dragging_pans_the_price(open_report, hourly):
    page = open_report(hourly)
    page.locator("#price [data-days='365']").click()
    _settled(page)
    before = page.locator("#price-chart").get_attribute("data-from")
    box = page.locator("#price-chart").bounding_box()
    page.locator("#price-chart").scroll_into_view_if_needed()
    box = page.locator("#price-chart").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 700, box["y"] + 150, steps=6)
    page.mouse.up()
    page.wait_for_function("was => document.getElementById('price-chart').dataset.from < was", arg=before)


def test_definition_shows_on_hover_and_on_focus_and_leaves_on_escape(open_report, hourly):
    page = open_report(hourly)
    name = page.locator("#metrics .term", has_text="Sharpe ratio")
    tip = page.locator("#tip-metric-sharpe")
    assert not tip.is_visible()
    name.hover()
    assert tip.is_visible()
    assert "mean(r - f) / std(r)" in tip.inner_text()
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.mouse.move(0, 0)
    name.focus()
    assert tip.is_visible()
    assert name.get_attribute("aria-describedby") == "tip-metric-sharpe"


def test_definition_shows_on_tap_and_stays_inside_a_phone(open_report, hourly):
    page = open_report(hourly, width=390, has_touch=True, is_mobile=True)
    for name in ("sharpe", "information_ratio", "fees_paid"):
        page.locator(f"[aria-describedby=tip-metric-{name}]").tap()
        box = page.locator(f"#tip-metric-{name}").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 900


def test_colours_follow_the_system_and_the_button(open_report, hourly):
    card = "getComputedStyle(document.querySelector('.card')).backgroundColor"
    page = open_report(hourly, dark=True)
    assert page.evaluate(card) == NIGHT
    page.locator("#theme").click()
    assert page.evaluate(card) == WHITE
    assert page.locator("#theme").get_attribute("aria-pressed") == "false"
    page = open_report(hourly)
    assert page.evaluate(card) == WHITE
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => {card} === '{NIGHT}'")


def test_print_is_light_and_shows_no_buttons(open_report, hourly):
    page = open_report(hourly, dark=True)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == WHITE
    assert not page.locator(".toolbar").first.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_trades_can_be_sorted_filtered_and_shown_in_full(open_report, hourly):
    page = open_report(hourly)
    rows = page.locator("#trades-table tbody tr")
    assert rows.count() == 25
    page.locator("#trades-more").click()
    assert rows.count() == 201
    pnl = page.locator("[data-sort=pnl]")
    pnl.click()
    assert pnl.locator("xpath=..").get_attribute("aria-sort") == "descending"
    column = [cell.inner_text() for cell in page.locator("#trades-table td:nth-child(4)").all()]
    values = [float(text.replace("\u202f", "").replace("\u2212", "-")) for text in column]
    assert values == sorted(values, reverse=True)
    assert all(text[0] in "+\u2212" for text in column)
    page.locator("#trades-filter").select_option("lost")
    assert page.locator("#trades-table td:nth-child(4).gain").count() == 0
    assert page.locator("#trades-table td:nth-child(4).loss").count() == 25
    page.locator("#trades-filter").select_option("open")
    assert rows.count() == 1
    assert "still open" in rows.first.inner_text()


def test_trade_is_shown_in_the_chart_by_mouse_and_by_keyboard(open_report, pages, hourly):
    page = open_report(hourly)
    page.locator("#trades-table .go").nth(4).press("Enter")
    _settled(page)
    assert _span(page) < 60
    assert page.locator("#trades-table tr.chosen").count() == 1
    several = open_report(pages["several"])
    several.locator("#trades-table tr", has_text="ARCA:QQQ").first.click()
    assert several.locator("#price-channel").evaluate("one => one.selectedOptions[0].text") == "ARCA:QQQ"


def test_trades_are_saved_as_csv(open_report, hourly):
    page = open_report(hourly)
    with page.expect_download() as download:
        page.locator("#trades-save").click()
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert lines[0].startswith("instrument,quantity_lots,entry_time")
    assert len(lines) == 1 + cross_run(eurusd_bars(20_000), 30, 120).trade_records.size


def test_small_plots_tell_what_is_under_the_pointer(open_report, hourly):
    page = open_report(hourly)
    page.locator("#distribution .plot").hover()
    assert "trades" in page.locator("#distribution .pointed").inner_text()


def test_heat_map_tells_cells_to_pointer_and_keys_and_changes_its_metric(open_report, pages):
    page = open_report(pages["sweep"])
    told = page.locator("#map-told")
    assert "Sharpe ratio 1." in told.inner_text()
    page.locator("#sweep-map rect[data-cell='0']").hover()
    assert "slow 30, fast 5: Sharpe ratio \u22120.94" in told.inner_text()
    page.locator("#sweep-map svg").focus()
    page.keyboard.press("ArrowRight")
    assert "slow 40, fast 5" in told.inner_text()
    page.locator("#map-metric").select_option(label="Max drawdown")
    assert "Max drawdown \u2212" in told.inner_text()


def test_columns_come_back_in_the_browser_as_they_were_packed(open_report, hourly):
    page = open_report(hourly)
    columns = [
        (np.array([1.5, np.nan, -2.25, 1e5]), 100.0),
        (np.array([1e300, -1e300]), 1.0),
        (1_577_836_800_000 + 3_600_000 * np.arange(5), 1.0),
        (np.array([np.nan]), 1.0),
        (np.array([0, 2**40, 3]), 1.0),
    ]
    for values, scale in columns:
        found = page.evaluate("packed => [...Banyan.unpack(packed)].map(String)", pack(values, scale))
        np.testing.assert_allclose([float(text) for text in found], values.astype(float))


def test_hostile_names_run_nothing(open_report, folder):
    stock = cross_run(daily_bars("spy"), instrument=SPY, short=False)
    hostile = replace(
        stock, strategy=ATTACK, params={ATTACK: ATTACK}, channels=(ATTACK,), notes=(ATTACK,), manifest={ATTACK: ATTACK}
    )
    page = open_report(write_report(hostile, folder / "hostile.html"))
    assert page.locator("h1").inner_text() == ATTACK
    assert page.locator("img").count() == 0


def test_report_is_readable_without_scripts(open_report, hourly):
    page = open_report(hourly, dark=True, java_script_enabled=False)
    assert page.locator(".card").first.evaluate("card => getComputedStyle(card).backgroundColor") == NIGHT
    assert not page.locator(".toolbar").first.is_visible()
    assert page.locator("#equity-chart svg path.equity").is_visible()
    assert page.locator("#months-table td").count() > 40
    assert page.get_by_text("The list of trades needs JavaScript").is_visible()
