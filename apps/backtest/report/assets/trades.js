// The list of round trips: sorted, filtered, a part at a time; a row leads to the trade in the chart.
Banyan.trades = (trades, channels, reasons, price) => {
  const table = document.getElementById("trades-table");
  if (!table) return;
  const { format, element } = Banyan;
  const body = table.tBodies[0];
  const more = document.getElementById("trades-more");
  const filter = document.getElementById("trades-filter");
  const first = 25;
  const step = 200;
  const decimals = (values) => {
    for (let count = 2; count < 8; count++) {
      const size = 10 ** count;
      if (values.slice(0, 400).every((v) => !Number.isFinite(v) || Math.abs(v * size - Math.round(v * size)) < 1e-3)) return count;
    }
    return Math.max(2, 6 - Math.ceil(Math.log10(Math.abs(values[0]) || 1)));
  };
  const priceDigits = Math.min(Math.max(decimals(trades.entry_price), decimals(trades.exit_price)), 6);
  const side = (i) => (trades.quantity[i] > 0 ? "Long" : "Short");
  const tone = (value) => (value > 0 ? "gain" : value < 0 ? "loss" : "");
  const columns = {
    entry: { key: (i) => trades.entry_time[i], text: (i) => format.moment(trades.entry_time[i]) },
    channel: { key: (i) => trades.channel[i], text: (i) => channels[trades.channel[i]] },
    side: { key: side, text: side },
    return: { key: (i) => trades.return[i], text: (i) => format.percent(trades.return[i]), tone: (i) => tone(trades.return[i]) },
    pnl: { key: (i) => trades.pnl[i], text: (i) => format.number(trades.pnl[i], 2, true), tone: (i) => tone(trades.pnl[i]) },
    held: {
      key: (i) => trades.exit_time[i] - trades.entry_time[i],
      text: (i) => format.duration(trades.exit_time[i] - trades.entry_time[i]),
    },
    quantity: { key: (i) => Math.abs(trades.quantity[i]), text: (i) => format.significant(Math.abs(trades.quantity[i]), 6) },
    entry_price: { key: (i) => trades.entry_price[i], text: (i) => format.number(trades.entry_price[i], priceDigits) },
    exit_price: { key: (i) => trades.exit_price[i], text: (i) => format.number(trades.exit_price[i], priceDigits) },
    exit: { key: (i) => trades.exit_time[i], text: (i) => (trades.is_open[i] ? "still open" : format.moment(trades.exit_time[i])) },
    fees: { key: (i) => trades.fees[i], text: (i) => format.number(trades.fees[i], 2) },
    reason: { key: (i) => reasons[trades.exit_reason[i]], text: (i) => (trades.is_open[i] ? "" : reasons[trades.exit_reason[i]]) },
  };
  const heads = [...table.querySelectorAll("th")];
  const shownColumns = heads.map((head) => head.querySelector("[data-sort]").dataset.sort);
  const kept = {
    all: () => true,
    won: (i) => trades.pnl[i] > 0,
    lost: (i) => trades.pnl[i] < 0,
    long: (i) => trades.quantity[i] > 0,
    short: (i) => trades.quantity[i] < 0,
    open: (i) => trades.is_open[i] === 1,
  };
  const state = { key: "entry", way: 1, limit: first, rows: [] };

  const cell = (name, i) => {
    const column = columns[name];
    const head = heads[shownColumns.indexOf(name)];
    const classes = [head.classList.contains("number") ? "number" : "", column.tone ? column.tone(i) : ""];
    const text = column.text(i);
    const content = name === "entry" ? element("button", { type: "button", class: "go" }, text) : text;
    return element("td", { class: classes.join(" ").trim() || null }, content);
  };

  const draw = () => {
    const rows = state.rows.slice(0, state.limit);
    body.replaceChildren(...rows.map((i) => element("tr", { "data-trade": i }, ...shownColumns.map((name) => cell(name, i)))));
    const left = state.rows.length - rows.length;
    more.hidden = left <= 0;
    more.textContent = `Show ${format.number(Math.min(step, left), 0)} more`;
    document.getElementById("trades-count").textContent =
      `${format.number(rows.length, 0)} of ${format.number(state.rows.length, 0)}`;
  };

  const arrange = () => {
    const { key } = columns[state.key];
    const rows = Array.from({ length: trades.n }, (_, i) => i).filter(kept[filter.value]);
    const keys = rows.map(key);
    const order = rows.map((_, place) => place);
    order.sort((a, b) => (keys[a] < keys[b] ? -state.way : keys[a] > keys[b] ? state.way : rows[a] - rows[b]));
    state.rows = order.map((place) => rows[place]);
    draw();
  };

  for (const head of heads) {
    const button = head.querySelector("[data-sort]");
    button.addEventListener("click", () => {
      const again = state.key === button.dataset.sort;
      state.way = again ? -state.way : head.classList.contains("number") ? -1 : 1;
      state.key = button.dataset.sort;
      state.limit = first;
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", state.way > 0 ? "ascending" : "descending");
      arrange();
    });
  }
  filter.addEventListener("change", () => {
    state.limit = first;
    arrange();
  });
  more.addEventListener("click", () => {
    state.limit += step;
    draw();
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || !price || !price.showTrade(Number(row.dataset.trade))) return;
    body.querySelector(".chosen")?.classList.remove("chosen");
    row.classList.add("chosen");
    document.getElementById("price").scrollIntoView();
  });

  // A cell that a spreadsheet would take for a formula gets an apostrophe.
  const quoted = (value) => {
    const text = String(value);
    return `"${(/^[=@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  };
  document.getElementById("trades-save").addEventListener("click", () => {
    const header = ["instrument", "quantity_lots", "entry_time", "exit_time", "entry_price", "exit_price", "pnl", "fees", "return_pct", "exit_reason", "is_open"];
    const lines = state.rows.map((i) => [
      quoted(channels[trades.channel[i]]), trades.quantity[i], new Date(trades.entry_time[i]).toISOString(),
      new Date(trades.exit_time[i]).toISOString(), trades.entry_price[i], trades.exit_price[i], trades.pnl[i], trades.fees[i],
      trades.return[i], reasons[trades.exit_reason[i]], trades.is_open[i],
    ].join(","));
    const url = URL.createObjectURL(new Blob([[header.join(","), ...lines, ""].join("\n")], { type: "text/csv" }));
    element("a", { href: url, download: "trades.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  arrange();
};
