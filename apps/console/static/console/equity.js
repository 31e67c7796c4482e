"use strict";
// The equity curve: drawn from the answer of the server, and again when the page's own part has moved.
(() => {
  const place = document.querySelector("[data-equity]");
  const told = document.querySelector("[data-equity-told]");
  if (!place) return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const { LightweightCharts } = window;
  const { timeFormatter, tickMarkFormatter } = window.chartTimes(false);
  const chart = LightweightCharts.createChart(place, {
    autoSize: true,
    layout: { attributionLogo: false, background: { type: "solid", color: "transparent" }, fontFamily: "Inter, sans-serif" },
    localization: {
      timeFormatter,
      priceFormatter: (value) => value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
    },
    rightPriceScale: { borderVisible: false },
    timeScale: { borderVisible: false, timeVisible: true, secondsVisible: true, tickMarkFormatter, tickMarkMaxCharacterLength: 14 },
    handleScroll: { mouseWheel: false },
    handleScale: { mouseWheel: false },
  });
  const series = chart.addSeries(LightweightCharts.AreaSeries, { lineWidth: 2, priceLineVisible: false });
  const paint = () => {
    chart.applyOptions({
      layout: { textColor: colour("--soft") },
      grid: { vertLines: { color: colour("--hover") }, horzLines: { color: colour("--hover") } },
    });
    series.applyOptions({ lineColor: colour("--bar"), topColor: `${colour("--bar")}55`, bottomColor: `${colour("--bar")}08` });
  };
  let range = "1h";
  let asked = 0;
  const draw = async (fit) => {
    if (!fit && Date.now() - asked < 4000) return;
    asked = Date.now();
    try {
      const answer = await fetch(`${place.dataset.equity}?range=${range}`, { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const points = await answer.json();
      series.setData(points.map(([time, value]) => ({ time, value })));
      place.dataset.points = String(points.length);
      if (fit) chart.timeScale().fitContent();
      const first = points[0];
      const last = points[points.length - 1];
      const change = first ? last[1] - first[1] : 0;
      told.textContent = points.length < 2 ? "There is nothing to draw in this range yet: a point comes with each close of what it trades."
        : `${change >= 0 ? "+" : "\u2212"}${Math.abs(change).toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 })} in this range`;
    } catch { /* the page says that the server is away */ }
  };
  for (const button of document.querySelectorAll("[data-range]")) {
    button.addEventListener("click", () => {
      range = button.dataset.range;
      for (const each of document.querySelectorAll("[data-range]")) each.setAttribute("aria-pressed", String(each === button));
      draw(true);
    });
  }
  addEventListener("themechange", paint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  document.addEventListener("refreshed", () => draw(false));
  paint();
  draw(true);
})();
