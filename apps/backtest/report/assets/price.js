// Price with entries and exits, one instrument at a time.
Banyan.price = (prices, trades) => {
  const box = document.getElementById("price-chart");
  if (!box || prices.length === 0) return null;
  const { format } = Banyan;
  const chosenColours = {};
  const marks = new Banyan.TradeMarks(chosenColours);
  const opened = new Map();
  let shown = null;
  let chart = null;
  let series = null;

  const open = (place) => {
    if (!opened.has(place)) opened.set(place, Banyan.unpackAll(prices[place]));
    return opened.get(place);
  };

  // As many decimals as tell neighbouring ticks apart.
  const tickTexts = (values) => {
    const step = values.length > 1 ? Math.abs(values[1] - values[0]) : 10 ** -shown.decimals;
    const needed = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
    const digits = Math.abs(step * 10 ** needed - Math.round(step * 10 ** needed)) > 1e-6 ? needed + 1 : needed;
    return values.map((value) => format.number(value, Math.min(Math.max(digits, 2), shown.decimals)));
  };

  const placed = (price) => {
    const seconds = price.time;
    const found = [];
    for (let i = 0; i < trades.n; i++) {
      if (trades.channel[i] !== price.channel) continue;
      found.push({
        id: i,
        from: Banyan.lastAtOrBelow(seconds, trades.entry_mark[i]),
        to: Banyan.lastAtOrBelow(seconds, trades.exit_mark[i]),
        entry: trades.entry_price[i],
        exit: trades.exit_price[i],
        long: trades.quantity[i] > 0,
        won: trades.pnl[i] > 0,
        open: trades.is_open[i] === 1,
        text: format.percent(trades.return[i], 2),
      });
    }
    return found;
  };

  const show = (place) => {
    shown = open(place);
    chart.setTimes(shown.time);
    series.applyOptions({
      priceFormat: {
        type: "custom", minMove: 10 ** -shown.decimals, formatter: (v) => format.number(v, shown.decimals),
        tickmarksFormatter: tickTexts,
      },
    });
    series.setData(Array.from(shown.time, (time, i) => ({
      time: time / 1000, open: shown.open[i], high: shown.high[i], low: shown.low[i], close: shown.close[i],
    })));
    marks.show(placed(shown));
    chart.fit();
  };

  const first = open(0);
  chart = new Banyan.Chart("price-chart", first.time, !Banyan.spansDays(first.time));
  series = chart.chart.addCustomSeries(new Banyan.DenseSeries("price"), { priceLineVisible: false, width: 1.3 }, 0);
  series.attachPrimitive(marks);
  chart.chart.priceScale("right", 0).applyOptions({ scaleMargins: { top: 0.08, bottom: 0.1 } });
  Banyan.onTheme((colours) => {
    series.applyOptions({ color: colours.soft, up: colours.gain, down: colours.loss });
    Object.assign(chosenColours, {
      long: colours.accent, short: colours.short, won: colours.gain, lost: colours.loss, edge: colours.card,
      chosen: colours.tint("accent", 0.14),
    });
    marks.refresh();
  });
  show(0);
  chart.onRead((row) => {
    const text = (value) => format.number(value, shown.decimals);
    return [
      ["O", text(shown.open[row])], ["H", text(shown.high[row])], ["L", text(shown.low[row])],
      ["C", text(shown.close[row])],
    ];
  });

  const chooser = document.getElementById("price-channel");
  chooser?.addEventListener("change", () => show(Number(chooser.value)));

  // Brings one trade into view, with as much before and after it; says whether its instrument is in the page.
  const showTrade = (trade) => {
    const place = prices.findIndex((price) => price.channel === trades.channel[trade]);
    if (place < 0) return false;
    if (shown !== open(place)) {
      show(place);
      if (chooser) chooser.value = String(place);
    }
    const from = Banyan.lastAtOrBelow(shown.time, trades.entry_mark[trade]);
    const to = Banyan.lastAtOrBelow(shown.time, trades.exit_mark[trade]);
    const margin = Math.max((to - from) * 0.8, 12);
    marks.chosen = trade;
    chart.showRows(from - margin, to + margin);
    marks.refresh();
    return true;
  };
  return { showTrade };
};
