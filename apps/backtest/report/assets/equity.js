// Equity with the benchmark, the drawdown below it, and exposure where it is asked for.
Banyan.equity = (packed, currency) => {
  const box = document.getElementById("equity-chart");
  if (!box) return;
  const { format } = Banyan;
  const curve = Banyan.unpackAll(packed);
  const chart = new Banyan.Chart("equity-chart", curve.time, !Banyan.spansDays(curve.time));
  const rows = (values) => Array.from(values, (value, i) => ({ time: curve.time[i] / 1000, value }));
  const percents = { type: "custom", minMove: 0.01, formatter: (value) => format.percent(value, 1, false) };
  const money = { type: "custom", minMove: 0.01, formatter: (value) => format.number(value, Math.abs(value) < 1000 ? 2 : 0) };

  const add = (values, pane, options, paint) => {
    const shared = { priceLineVisible: false, lastValueVisible: true, ...options };
    const series = chart.chart.addCustomSeries(new Banyan.DenseSeries("value"), shared, pane);
    series.setData(rows(values));
    Banyan.onTheme((colours) => series.applyOptions(paint(colours)));
    return series;
  };

  if (curve.benchmark) {
    add(curve.benchmark, 0, { priceFormat: money, width: 1.2, dash: [5, 4], lastValueVisible: false }, (c) => ({ color: c.other }));
  }
  add(curve.equity, 0, { priceFormat: money, width: 1.8 }, (c) => ({ color: c.accent, fill: c.tint("accent", 0.09) }));
  add(curve.drawdown, 1, { priceFormat: percents, width: 1.1, fillTo: "zero" }, (c) => ({
    color: c.loss, fill: c.tint("loss", 0.22),
  }));
  chart.chart.panes()[0].setStretchFactor(3);
  chart.chart.panes()[1].setStretchFactor(1);
  chart.chart.priceScale("right", 0).applyOptions({ scaleMargins: { top: 0.09, bottom: 0.05 } });
  chart.chart.priceScale("right", 1).applyOptions({ scaleMargins: { top: 0.04, bottom: 0.06 } });
  chart.fit();

  chart.onRead((row) => {
    const parts = [
      ["Equity", `${format.number(curve.equity[row], 2)}${currency ? ` ${currency}` : ""}`],
      ["Drawdown", format.percent(curve.drawdown[row], 2)],
    ];
    if (curve.benchmark) parts.push(["Benchmark", format.number(curve.benchmark[row], 2)]);
    if (curve.exposure) parts.push(["Exposure", format.percent(curve.exposure[row], 1, false)]);
    return parts;
  });

  let exposure = null;
  const toggles = {
    log: (on) => chart.chart.priceScale("right", 0).applyOptions({ mode: on ? 1 : 0 }),
    exposure: (on) => {
      if (on) {
        exposure = add(curve.exposure, 2, { priceFormat: percents, width: 1, fillTo: "zero" }, (c) => ({
          color: c.other, fill: c.tint("accent", 0.12),
        }));
        chart.chart.panes()[2].setStretchFactor(0.8);
      } else {
        chart.chart.removeSeries(exposure);
      }
    },
  };
  for (const button of chart.section.querySelectorAll("[data-toggle]")) {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      toggles[button.dataset.toggle](on);
    });
  }
};
