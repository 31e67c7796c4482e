"use strict";
// An instrument's chart: windows of bars are asked for as they are looked at, and the newest ones as they close.
(() => {
  const place = document.querySelector("[data-market]");
  if (!place) return;
  const told = document.querySelector("[data-market-told]");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const L = window.LightweightCharts;
  const AT_ONCE = 500;
  const digits = Number(place.dataset.digits);
  const chart = L.createChart(place, {
    autoSize: true,
    layout: { attributionLogo: false, background: { type: "solid", color: "transparent" }, fontFamily: "Inter, sans-serif" },
    rightPriceScale: { borderVisible: false },
    timeScale: { borderVisible: false, timeVisible: true, secondsVisible: true, rightOffset: 4, tickMarkMaxCharacterLength: 14 },
  });
  const candles = chart.addSeries(L.CandlestickSeries, {
    borderVisible: false, priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits },
  });
  const volume = chart.addSeries(L.HistogramSeries, { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
  const marks = L.createSeriesMarkers(candles, []);
  const lines = new Map();
  const sides = {};
  let interval = place.dataset.interval;
  let held = new Map();
  let traded = new Map();
  let wanted = new Map();
  let hasEarlier = false;
  let asking = false;
  let turn = 0;

  const paint = () => {
    const [up, down] = [colour("--bar"), colour("--bar-refused")];
    chart.applyOptions({
      layout: { textColor: colour("--soft") },
      grid: { vertLines: { color: colour("--hover") }, horzLines: { color: colour("--hover") } },
    });
    candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    volume.applyOptions({ color: `${colour("--line-firm")}88` });
    ["--warn", "--link", "--soft"].forEach((name, at) => { const line = [...lines.values()][at]; if (line) line.applyOptions({ color: colour(name) }); });
    if (held.size) putMarks();
    putSides();
  };
  const putSides = () => {
    const quote = document.querySelector("[data-quote]");
    for (const side of ["bid", "ask"]) {
      const price = quote && Number(quote.dataset[side]);
      if (!price || !place.dataset.live) continue;
      const options = { price, title: side, color: colour(side === "bid" ? "--bar" : "--bar-refused"), lineWidth: 1, lineStyle: 2, axisLabelVisible: true };
      if (sides[side]) sides[side].applyOptions(options);
      else sides[side] = candles.createPriceLine(options);
    }
  };
  const putMarks = () => {
    const times = [...held.keys()];
    const at = (time) => { let low = 0; let high = times.length - 1; while (low < high) { const middle = (low + high + 1) >> 1; if (times[middle] <= time) low = middle; else high = middle - 1; } return times[low]; };
    const shown = [];
    for (const [time, bought, sold] of traded.values()) {
      if (bought) shown.push({ time: at(time), position: "belowBar", shape: "arrowUp", color: colour("--good") });
      if (sold) shown.push({ time: at(time), position: "aboveBar", shape: "arrowDown", color: colour("--bad") });
    }
    for (const [time] of wanted.values()) shown.push({ time: at(time), position: "aboveBar", shape: "circle", size: 0.6, color: colour("--link") });
    marks.setMarkers(shown.sort((one, other) => one.time - other.time));
    place.dataset.marks = String(shown.length);
  };
  const averages = () => [...document.querySelectorAll("[data-average]:checked")].map((each) => each.value);
  const ask = async (more) => {
    const query = new URLSearchParams({ interval, averages: averages().join(","), ...more });
    const answer = await fetch(`${place.dataset.market}?${query}`, { headers: { "HX-Request": "true" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };
  const keep = (found) => {
    found.time.forEach((time, row) => {
      held.set(time, { time, open: found.open[row], high: found.high[row], low: found.low[row], close: found.close[row], volume: found.volume[row],
        averages: Object.fromEntries(Object.entries(found.averages).map(([name, values]) => [name, values[row]])) });
    });
    for (const each of found.bought) traded.set(each[0], each);
    for (const each of found.wanted) wanted.set(`${each[0]} ${each[1]}`, each);
  };
  const put = () => {
    held = new Map([...held.entries()].sort((one, other) => one[0] - other[0]));
    const rows = [...held.values()];
    candles.setData(rows);
    volume.setData(rows.filter((row) => row.volume !== null).map((row) => ({ time: row.time, value: row.volume })));
    for (const [name, line] of lines) line.setData(rows.filter((row) => row.averages[name] != null).map((row) => ({ time: row.time, value: row.averages[name] })));
    place.dataset.bars = String(rows.length);
    putMarks();
  };
  // Whoever has moved the chart while something was asked for has not been given what is further back.
  const answered = () => {
    asking = false;
    further(chart.timeScale().getVisibleLogicalRange());
  };
  const begin = async () => {
    const mine = ++turn;
    asking = true;
    const { timeFormatter, tickMarkFormatter } = window.chartTimes(/(d|w|mo)$/.test(interval));
    chart.applyOptions({ localization: { timeFormatter }, timeScale: { tickMarkFormatter } });
    for (const line of lines.values()) chart.removeSeries(line);
    lines.clear();
    for (const name of averages()) lines.set(name, chart.addSeries(L.LineSeries, { lineWidth: 1.5, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false }));
    paint();
    try {
      const found = await ask({ count: String(AT_ONCE) });
      if (mine !== turn) return;
      [held, traded, wanted] = [new Map(), new Map(), new Map()];
      keep(found);
      hasEarlier = found.has_earlier;
      put();
      const rows = held.size;
      // Where bars are still to come they come in from the right, as wide as they will be later.
      if (rows) chart.timeScale().setVisibleLogicalRange({ from: place.dataset.live ? rows - 160 : Math.max(0, rows - 160), to: rows + 4 });
      told.textContent = rows ? "" : "There are no bars of this interval.";
    } catch { told.textContent = "The bars could not be fetched; it is tried again with the next change."; }
    asking = false;  // what is seen from now on is set in the next frame, and tells of itself
  };
  const further = async (range) => {
    if (!range || asking || !hasEarlier || range.from > 60 || !held.size) return;
    const mine = turn;
    asking = true;
    try {
      const found = await ask({ before: String([...held.keys()][0]), count: String(AT_ONCE) });
      if (mine !== turn) return;
      hasEarlier = found.has_earlier;
      keep(found);
      put();
    } catch { /* the page says that the server is away */ }
    asking = false;
  };
  const newest = async () => {
    if (asking || !place.dataset.live || document.hidden) return;
    const mine = turn;
    asking = true;
    try {
      const found = await ask({ count: "5" });
      if (mine === turn && found.time.length) { keep(found); put(); }
    } catch { /* the page says that the server is away */ }
    answered();
  };
  // What stands at the bar under the pointer, in words: marks have no room for them.
  const lots = (value) => Math.abs(value).toLocaleString();
  const tell = ({ time, seriesData }) => {
    const bar = time && seriesData.get(candles);
    if (!bar) { told.textContent = ""; return; }
    const times = [...held.keys()];
    const next = times[times.indexOf(time) + 1] || Infinity;
    const within = (each) => each[0] >= time && each[0] < next;
    const fills = [...traded.values()].filter(within);
    const parts = [`open ${bar.open.toFixed(digits)}, high ${bar.high.toFixed(digits)}, low ${bar.low.toFixed(digits)}, close ${bar.close.toFixed(digits)}`];
    for (const [, bought, sold, count] of fills) parts.push(`${[bought ? `bought ${lots(bought)}` : "", sold ? `sold ${lots(sold)}` : ""].filter(Boolean).join(", ")} lots in ${count} fills`);
    for (const [, set, value, mode] of [...wanted.values()].filter(within)) parts.push(`${set} wants ${value > 0 ? "+" : ""}${value} ${mode}`);
    told.textContent = parts.join(" · ");
  };
  const choose = () => {
    const chosen = document.querySelector(`[data-interval][data-name="${CSS.escape(interval)}"]`);
    for (const each of document.querySelectorAll("[data-interval][data-name]")) each.setAttribute("aria-pressed", String(each === chosen));
    if (chosen && chosen.dataset.isLive) place.dataset.live = "yes";
    else delete place.dataset.live;
  };
  for (const button of document.querySelectorAll("[data-interval][data-name]")) {
    button.addEventListener("click", () => {
      interval = button.dataset.name;
      choose();
      const address = new URL(location.href);
      address.searchParams.set("interval", interval);
      history.replaceState(null, "", address);
      for (const side of Object.keys(sides)) { candles.removePriceLine(sides[side]); delete sides[side]; }
      begin();
    });
  }
  for (const box of document.querySelectorAll("[data-average]")) box.addEventListener("change", begin);
  chart.timeScale().subscribeVisibleLogicalRangeChange(further);
  chart.subscribeCrosshairMove(tell);
  addEventListener("themechange", paint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  document.addEventListener("refreshed", () => { putSides(); newest(); });
  place.addEventListener("keydown", (event) => {
    const range = chart.timeScale().getVisibleLogicalRange();
    if (!range) return;
    const width = range.to - range.from;
    const by = { ArrowLeft: [-0.2, -0.2], ArrowRight: [0.2, 0.2], "+": [0.15, -0.15], "-": [-0.25, 0.25] }[event.key];
    if (!by) return;
    event.preventDefault();
    chart.timeScale().setVisibleLogicalRange({ from: range.from + by[0] * width, to: range.to + by[1] * width });
  });
  choose();
  begin();
})();
