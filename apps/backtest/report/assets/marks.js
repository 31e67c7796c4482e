// Entries and exits on the price: symbols joined by a line while they have room, a ribbon of positions below at any zoom.
Banyan.TradeMarks = class {
  #chart = null;
  #redraw = () => {};
  #views;
  #trades = [];
  chosen = -1;

  constructor(colours) {
    this.colours = colours;
    this.#views = [{ zOrder: () => "top", renderer: () => this }];
  }

  attached({ chart, series, requestUpdate }) {
    this.#chart = chart;
    this.series = series;
    this.#redraw = requestUpdate;
  }

  paneViews() {
    return this.#views;
  }

  // trades: { from, to: rows of the series; entry, exit: prices; long, won, open, text }
  show(trades) {
    this.#trades = trades;
    this.#redraw();
  }

  refresh() {
    this.#redraw();
  }

  draw(target) {
    const range = this.#chart.timeScale().getVisibleLogicalRange();
    if (!range || this.#trades.length === 0) return;
    const seen = this.#trades.filter((trade) => trade.to >= range.from && trade.from <= range.to);
    target.useBitmapCoordinateSpace((scope) => {
      const place = this.#placer(scope);
      const room = scope.mediaSize.width / Math.max(seen.length, 1);
      this.#drawChosen(scope, place);
      this.#drawRibbon(scope, seen, place);
      if (room > 7) this.#drawTrades(scope, seen, place, room);
    });
  }

  #placer(scope) {
    const scale = this.#chart.timeScale();
    const origin = scale.logicalToCoordinate(0);
    const step = scale.options().barSpacing;
    return {
      x: (row) => (origin + row * step) * scope.horizontalPixelRatio,
      y: (price) => this.series.priceToCoordinate(price) * scope.verticalPixelRatio,
      step: step * scope.horizontalPixelRatio,
    };
  }

  #drawRibbon({ context, bitmapSize, verticalPixelRatio: ratio }, seen, place) {
    const height = Math.round(4 * ratio);
    for (const trade of seen) {
      const left = place.x(trade.from) - place.step / 2;
      context.fillStyle = trade.long ? this.colours.long : this.colours.short;
      const top = bitmapSize.height - (trade.long ? 2 * height + 1 : height);
      context.fillRect(left, top, Math.max(place.x(trade.to) - left, 1), height);
    }
  }

  #drawChosen({ context, bitmapSize }, place) {
    const trade = this.#trades.find((one) => one.id === this.chosen);
    if (!trade) return;
    const left = place.x(trade.from) - place.step / 2;
    context.fillStyle = this.colours.chosen;
    context.fillRect(left, 0, place.x(trade.to) + place.step / 2 - left, bitmapSize.height);
  }

  #drawTrades({ context, verticalPixelRatio: ratio }, seen, place, room) {
    const size = (room > 40 ? 6.5 : room > 16 ? 5 : 3.5) * ratio;
    let labelled = -Infinity;
    for (const trade of seen) {
      const [x1, y1, x2, y2] = [place.x(trade.from), place.y(trade.entry), place.x(trade.to), place.y(trade.exit)];
      const end = trade.won ? this.colours.won : this.colours.lost;
      context.strokeStyle = end;
      context.lineWidth = 1.3 * ratio;
      context.setLineDash([4 * ratio, 3 * ratio]);
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
      context.setLineDash([]);
      this.#triangle(context, x1, y1 + (trade.long ? 1 : -1) * size * 0.9, size, trade.long);
      if (!trade.open) this.#end(context, x2, y2, size * 0.8, end, trade.won);
      if (room < 70 || trade.open || x2 - labelled < 62 * ratio) continue;
      labelled = x2;
      this.#label(context, trade.text, x2, y2 - 17 * ratio, end, ratio);
    }
  }

  #triangle(context, x, y, size, up) {
    const way = up ? 1 : -1;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x - size, y + way * size * 1.7);
    context.lineTo(x + size, y + way * size * 1.7);
    context.closePath();
    this.#paint(context, up ? this.colours.long : this.colours.short);
  }

  #end(context, x, y, size, colour, won) {
    context.beginPath();
    if (won) {
      context.arc(x, y, size, 0, 2 * Math.PI);
    } else {
      context.moveTo(x, y - size * 1.15);
      context.lineTo(x + size * 1.15, y);
      context.lineTo(x, y + size * 1.15);
      context.lineTo(x - size * 1.15, y);
      context.closePath();
    }
    this.#paint(context, colour);
  }

  #paint(context, colour) {
    context.fillStyle = colour;
    context.strokeStyle = this.colours.edge;
    context.lineWidth = 1.5;
    context.fill();
    context.stroke();
  }

  #label(context, text, x, y, colour, ratio) {
    context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "bottom";
    context.lineWidth = 3.5 * ratio;
    context.strokeStyle = this.colours.edge;
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }
};
