// The heat map of a sweep over two parameters that can be chosen, coloured by a metric that can be chosen.
Banyan.sweep = (sweep) => {
  const box = document.getElementById("sweep-map");
  if (!box) return;
  const { format, element } = Banyan;
  const told = document.getElementById("map-told");
  const parameters = sweep.parameters.map((one) => ({ ...one, codes: Banyan.unpack(one.codes) }));
  const metrics = sweep.metrics.map((one) => ({ ...one, data: Banyan.unpack(one.data) }));
  const choice = (name) => document.getElementById(`map-${name}`);
  const fill = (name, texts, chosen) => {
    choice(name).replaceChildren(...texts.map((text, i) => element("option", { value: i }, text)));
    choice(name).value = String(chosen);
  };
  fill("x", parameters.map((one) => one.name), parameters.length > 1 ? 1 : 0);
  fill("y", parameters.map((one) => one.name), 0);
  fill("metric", metrics.map((one) => one.label), 0);
  fill("pick", ["the best", "the mean"], 0);
  choice("pick").closest("label").hidden = parameters.length < 3;
  const state = { cells: new Map(), at: null };

  const write = (metric, value) => {
    if (!Number.isFinite(value)) return format.NOTHING;
    const shown = metric.key === "max_drawdown_pct" ? -value : value;
    return format.number(shown, metric.decimals) + (metric.unit === "%" ? "\u202f%" : "");
  };

  // One cell per pair of values: the best or the mean over all other parameters, and how many rows there were.
  const collect = (x, y, metric, useMean) => {
    const cells = new Map();
    for (let row = 0; row < metric.data.length; row++) {
      const value = metric.data[row];
      if (!Number.isFinite(value)) continue;
      const key = x.codes[row] + x.values.length * y.codes[row];
      const cell = cells.get(key);
      if (!cell) cells.set(key, { value, n: 1 });
      else {
        cell.n += 1;
        if (useMean) cell.value += (value - cell.value) / cell.n;
        else if (metric.lower ? value < cell.value : value > cell.value) cell.value = value;
      }
    }
    return cells;
  };

  const painter = (metric, cells) => {
    const values = [...cells.values()].map((cell) => cell.value);
    const low = Math.min(...values);
    const high = Math.max(...values);
    if (low < 0 && high > 0) {
      const most = Math.max(-low, high);
      return { low, high, colour: (v) => [v < 0 ? "loss" : "gain", Math.abs(v) / most] };
    }
    const span = high - low || 1;
    return { low, high, colour: (v) => ["accent", 0.08 + 0.92 * (metric.lower ? (high - v) / span : (v - low) / span)] };
  };

  const tell = (key) => {
    const [x, y, metric] = [parameters[choice("x").value], parameters[choice("y").value], metrics[choice("metric").value]];
    const cell = state.cells.get(key);
    const place = `${x.name} ${x.values[key % x.values.length]}, ${y.name} ${y.values[Math.floor(key / x.values.length)]}`;
    const rest = cell && cell.n > 1 ? ` (${choice("pick").value === "0" ? "best" : "mean"} of ${cell.n})` : "";
    told.replaceChildren(`${place}: `, element("b", {}, cell ? `${metric.label} ${write(metric, cell.value)}` : "no value"), rest);
    state.at = key;
    const mark = box.querySelector(".at");
    const rect = box.querySelector(`[data-cell="${key}"]`);
    for (const name of ["x", "y", "width", "height"]) mark.setAttribute(name, rect.getAttribute(name));
  };

  const svg = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };

  const draw = () => {
    const [x, y, metric] = [parameters[choice("x").value], parameters[choice("y").value], metrics[choice("metric").value]];
    state.cells = collect(x, y, metric, choice("pick").value === "1");
    const { low, high, colour } = painter(metric, state.cells);
    const [columns, rows] = [x.values.length, y.values.length];
    const left = 12 + 7.5 * Math.max(...y.values.map((text) => text.length), y.name.length);
    const width = Math.max(box.clientWidth, 300);
    const across = (width - left) / columns;
    const down = Math.min(Math.max(across * 0.62, 15), rows > 24 ? 20 : 30);
    const height = 26 + rows * down + 34;
    const words = across >= 40 && down >= 17;
    const colours = Banyan.colours();
    const drawing = svg("svg", {
      viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "application",
      "aria-label": `${metric.label} over ${x.name} and ${y.name}. Arrow keys move from cell to cell.`,
    });
    let best = null;
    for (let key = 0; key < columns * rows; key++) {
      const cell = state.cells.get(key);
      const place = {
        x: left + (key % columns) * across + 0.5, y: 26 + Math.floor(key / columns) * down + 0.5,
        width: Math.max(across - 1, 0.5), height: down - 1, "data-cell": key,
      };
      const [name, strength] = cell ? colour(cell.value) : ["", 0];
      drawing.append(svg("rect", { ...place, fill: cell ? colours.tint(name, strength * (words ? 0.55 : 0.9)) : "transparent" }));
      if (cell && words) {
        const label = svg("text", { x: place.x + across / 2, y: place.y + down / 2 + 4, "text-anchor": "middle" }, write(metric, cell.value));
        label.style.fill = colours.ink;
        label.style.pointerEvents = "none";
        drawing.append(label);
      }
      if (cell && (best === null || (metric.lower ? cell.value < best.value : cell.value > best.value))) best = { ...place, value: cell.value, key };
    }
    const every = (count, size) => Math.max(1, Math.ceil(size / count));
    const stepX = every((width - left) / 44, columns);
    const stepY = every((rows * down) / 15, rows);
    x.values.forEach((text, i) => {
      if (i % stepX === 0) drawing.append(svg("text", { x: left + (i + 0.5) * across, y: height - 20, "text-anchor": "middle" }, text));
    });
    y.values.forEach((text, i) => {
      if (i % stepY === 0) drawing.append(svg("text", { x: left - 8, y: 26 + (i + 0.5) * down + 4, "text-anchor": "end" }, text));
    });
    drawing.append(svg("text", { x: left - 8, y: 16, "text-anchor": "end" }, y.name));
    drawing.append(svg("text", { x: width, y: height - 3, "text-anchor": "end" }, x.name));
    drawing.append(svg("text", { x: left, y: 16 }, `${metric.label}: ${write(metric, low)} to ${write(metric, high)}`));
    drawing.append(svg("rect", { class: "at", x: -9, y: -9, width: 0, height: 0 }));
    if (best) drawing.append(svg("rect", { class: "best", x: best.x, y: best.y, width: best.width, height: best.height }));
    drawing.addEventListener("pointermove", (event) => event.target.dataset.cell && tell(Number(event.target.dataset.cell)));
    drawing.addEventListener("pointerdown", (event) => event.target.dataset.cell && tell(Number(event.target.dataset.cell)));
    drawing.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (!step) return;
      event.preventDefault();
      tell(Math.min(Math.max((state.at ?? best?.key ?? 0) + step, 0), columns * rows - 1));
    });
    const focused = box.contains(document.activeElement);
    box.replaceChildren(drawing);
    if (focused) drawing.focus({ preventScroll: true });
    if (best) tell(best.key);
  };

  for (const name of ["x", "y", "metric", "pick"]) {
    choice(name).addEventListener("change", () => {
      state.at = null;
      if (choice("x").value === choice("y").value && parameters.length > 1) {
        const other = name === "x" ? "y" : "x";
        choice(other).value = String((Number(choice(name).value) + 1) % parameters.length);
      }
      draw();
    });
  }
  let width = 0;
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    draw();
  }).observe(box);
  Banyan.onTheme(() => width && draw());
};
