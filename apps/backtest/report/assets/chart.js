// What all charts share: colours that follow the page's, keys, buttons, a wheel that zooms only once the chart has focus.
Banyan.colours = () => {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const tint = (name, opacity) => `rgba(${of(`${name}-rgb`).replaceAll(" ", ", ")}, ${opacity})`;
  return {
    card: of("card"), ink: of("ink"), soft: of("soft"), line: of("line"), accent: of("accent"), other: of("other"),
    gain: of("gain"), loss: of("loss"), short: of("short"), tint,
  };
};

Banyan.onTheme = (() => {
  const listeners = [];
  const add = (listener) => {
    listeners.push(listener);
    listener(Banyan.colours());
  };
  add.tell = () => listeners.forEach((listener) => listener(Banyan.colours()));
  return add;
})();

Banyan.Chart = class {
  #listeners = [];

  // times: rising, in milliseconds, one per row of the chart's time axis
  constructor(name, times, withTime) {
    this.name = name;
    this.box = document.getElementById(name);
    this.readout = document.getElementById(`${name}-readout`);
    this.section = this.box.closest("section");
    this.box.querySelector(".still")?.remove();
    this.chart = LightweightCharts.createChart(this.box, {
      autoSize: true,
      layout: { attributionLogo: true, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 },
      rightPriceScale: { borderVisible: false },
      timeScale: {
        borderVisible: false, timeVisible: withTime, secondsVisible: false, minBarSpacing: 0.0005, fixLeftEdge: true,
        fixRightEdge: true, lockVisibleTimeRangeOnResize: true,
      },
      crosshair: { mode: 0 },
      handleScroll: { mouseWheel: false, vertTouchDrag: false, pressedMouseMove: true, horzTouchDrag: true },
      handleScale: { mouseWheel: false, pinch: true },
      localization: { locale: "en-GB", timeFormatter: (time) => Banyan.format.moment(1000 * time, withTime) },
    });
    this.withTime = withTime;
    this.setTimes(times);
    Banyan.onTheme((colours) => this.chart.applyOptions(this.#look(colours)));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => this.#tellRange(range));
    this.chart.subscribeCrosshairMove((event) => this.#tell(event.logical));
    this.#bindButtons();
    this.#bindKeys();
    this.#bindWheel();
  }

  setTimes(times) {
    this.times = times;
  }

  onRead(listener) {
    this.#listeners.push(listener);
    this.#tell(undefined);
  }

  fit() {
    this.chart.timeScale().fitContent();
  }

  // Rows may be fractions; the range is kept within the data.
  showRows(from, to) {
    const last = this.times.length - 1;
    const width = Math.min(Math.max(to - from, 5), last + 1);
    const start = Math.min(Math.max(from, -0.5), last + 0.5 - width);
    this.chart.timeScale().setVisibleLogicalRange({ from: start, to: start + width });
  }

  rows() {
    return this.chart.timeScale().getVisibleLogicalRange();
  }

  zoom(factor) {
    const range = this.rows();
    if (!range) return;
    const middle = (range.from + range.to) / 2;
    const half = ((range.to - range.from) * factor) / 2;
    this.showRows(middle - half, middle + half);
  }

  move(share) {
    const range = this.rows();
    if (!range) return;
    const by = (range.to - range.from) * share;
    this.showRows(range.from + by, range.to + by);
  }

  showLastDays(days) {
    if (!days) return this.fit();
    const last = this.times.length - 1;
    this.showRows(Banyan.lastAtOrBelow(this.times, this.times[last] - days * 86400e3), last + 0.5);
  }

  #look(colours) {
    return {
      layout: {
        background: { type: "solid", color: colours.card }, textColor: colours.soft,
        panes: { separatorColor: colours.line, separatorHoverColor: colours.tint("accent", 0.2) },
      },
      grid: { vertLines: { visible: false }, horzLines: { color: colours.line } },
      crosshair: {
        vertLine: { color: colours.other, labelBackgroundColor: colours.soft },
        horzLine: { color: colours.other, labelBackgroundColor: colours.soft },
      },
    };
  }

  #tell(logical) {
    const last = this.times.length - 1;
    const row = logical === undefined || logical === null ? last : Math.min(Math.max(Math.round(logical), 0), last);
    const parts = this.#listeners.flatMap((listener) => listener(row));
    const when = Banyan.element("b", {}, Banyan.format.moment(this.times[row], this.withTime));
    const texts = parts.map(([name, text]) => Banyan.element("span", {}, `${name} `, Banyan.element("b", {}, text)));
    this.readout.replaceChildren(Banyan.element("span", {}, when), ...texts);
  }

  #tellRange(range) {
    if (!range || this.times.length === 0) return;
    const row = (at) => Math.min(Math.max(Math.round(at), 0), this.times.length - 1);
    this.box.dataset.from = new Date(this.times[row(range.from)]).toISOString();
    this.box.dataset.to = new Date(this.times[row(range.to)]).toISOString();
    const days = Math.round((this.times[row(range.to)] - this.times[row(range.from)]) / 86400e3);
    const all = row(range.from) === 0 && row(range.to) === this.times.length - 1;
    for (const button of this.section.querySelectorAll("[data-days]")) {
      const wanted = Number(button.dataset.days);
      const fits = wanted ? Math.abs(days - wanted) < 4 && !all : all;
      button.setAttribute("aria-pressed", String(fits));
    }
  }

  #bindButtons() {
    for (const button of this.section.querySelectorAll("[data-days]")) {
      button.addEventListener("click", () => this.showLastDays(Number(button.dataset.days)));
    }
    for (const button of this.section.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.zoom(button.dataset.zoom === "in" ? 0.5 : 2));
    }
  }

  #bindKeys() {
    const keys = {
      ArrowLeft: () => this.move(-0.15), ArrowRight: () => this.move(0.15), Home: () => this.fit(),
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
    };
    this.box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  #bindWheel() {
    const wheel = (on) =>
      this.chart.applyOptions({ handleScale: { mouseWheel: on }, handleScroll: { mouseWheel: on } });
    this.box.addEventListener("focus", () => wheel(true));
    this.box.addEventListener("blur", () => wheel(false));
    this.box.addEventListener("pointerdown", () => this.box.focus({ preventScroll: true }));
    const hint = Banyan.element("div", { class: "hint", hidden: "" }, "Click the chart, then the wheel zooms");
    this.box.append(hint);
    let timer = 0;
    this.box.addEventListener("wheel", () => {
      if (document.activeElement === this.box) return;
      hint.hidden = false;
      clearTimeout(timer);
      timer = setTimeout(() => { hint.hidden = true; }, 1200);
    }, { passive: true });
  }
};

Banyan.spansDays = (times) => times.length < 2 || (times[times.length - 1] - times[0]) / (times.length - 1) > 20 * 3600e3;
