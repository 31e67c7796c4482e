// A series that stays fast and true at any zoom: one stroke from lowest to highest per pixel column when far out, and for
// prices candles when there is room for them.
Banyan.DenseSeries = class {
  #data = null;
  #options = null;

  constructor(rowKind) {
    this.isPrice = rowKind === "price";
  }

  renderer() {
    return this;
  }

  update(data, options) {
    this.#data = data;
    this.#options = options;
  }

  priceValueBuilder(row) {
    return this.isPrice ? [row.low, row.high, row.close] : [row.value];
  }

  isWhitespace(row) {
    return !Number.isFinite(this.isPrice ? row.close : row.value);
  }

  defaultOptions() {
    return { ...LightweightCharts.customSeriesDefaultOptions, width: 1.5, fill: "", dash: [], up: "", down: "" };
  }

  draw(target, priceToCoordinate) {
    const data = this.#data;
    if (!data || !data.visibleRange || data.bars.length === 0) return;
    target.useBitmapCoordinateSpace((scope) => {
      if (this.isPrice && data.barSpacing >= 4) this.#drawCandles(scope, priceToCoordinate);
      else this.#drawLine(scope, priceToCoordinate);
    });
  }

  #drawCandles(scope, priceToCoordinate) {
    const { bars, visibleRange, barSpacing } = this.#data;
    const { context, horizontalPixelRatio: ratioX, verticalPixelRatio: ratioY } = scope;
    const body = Math.max(1, Math.floor(barSpacing * 0.7 * ratioX) | 1);
    const wick = Math.max(1, Math.floor(ratioX));
    for (let i = visibleRange.from; i < visibleRange.to; i++) {
      const row = bars[i].originalData;
      const x = Math.round(bars[i].x * ratioX);
      const open = priceToCoordinate(row.open) * ratioY;
      const close = priceToCoordinate(row.close) * ratioY;
      const high = priceToCoordinate(row.high) * ratioY;
      const low = priceToCoordinate(row.low) * ratioY;
      context.fillStyle = row.close >= row.open ? this.#options.up : this.#options.down;
      context.fillRect(x - (wick >> 1), Math.round(high), wick, Math.max(1, Math.round(low - high)));
      const top = Math.round(Math.min(open, close));
      context.fillRect(x - (body >> 1), top, body, Math.max(1, Math.round(Math.abs(close - open))));
    }
  }

  #drawLine(scope, priceToCoordinate) {
    const { context, verticalPixelRatio: ratioY } = scope;
    const columns = this.#columns(scope.horizontalPixelRatio);
    if (columns.length === 0) return;
    const y = (value) => priceToCoordinate(value) * ratioY;
    const path = new Path2D();
    columns.forEach((column, place) => {
      if (place === 0) path.moveTo(column.x, y(column.first));
      else path.lineTo(column.x, y(column.first));
      if (column.low === column.high) return;
      const rising = column.lowAt < column.highAt;
      path.lineTo(column.x, y(rising ? column.low : column.high));
      path.lineTo(column.x, y(rising ? column.high : column.low));
      path.lineTo(column.x, y(column.last));
    });
    if (this.#options.fill) {
      const base = this.#options.fillTo === "zero" ? y(0) : scope.bitmapSize.height;
      const area = new Path2D(path);
      area.lineTo(columns[columns.length - 1].x, base);
      area.lineTo(columns[0].x, base);
      context.fillStyle = this.#options.fill;
      context.fill(area);
    }
    context.strokeStyle = this.#options.color;
    context.lineWidth = this.#options.width * ratioY;
    context.lineJoin = "round";
    context.setLineDash(this.#options.dash.map((length) => length * ratioY));
    context.stroke(path);
    context.setLineDash([]);
  }

  // The visible rows by pixel column: first, last, lowest and highest of each. One row more on either side, whose place
  // the library does not compute, so that the line reaches the edges.
  #columns(ratio) {
    const { bars, visibleRange, barSpacing } = this.#data;
    const columns = [];
    let column = null;
    const from = Math.max(visibleRange.from - 1, 0);
    const to = Math.min(visibleRange.to + 1, bars.length);
    for (let i = from; i < to; i++) {
      const row = bars[i].originalData;
      const value = this.isPrice ? row.close : row.value;
      let place = bars[i].x;
      if (i < visibleRange.from) place = bars[visibleRange.from].x - barSpacing;
      if (i >= visibleRange.to) place = bars[visibleRange.to - 1].x + barSpacing;
      const x = Math.round(place * ratio);
      if (!Number.isFinite(value)) continue;
      if (column === null || column.x !== x) {
        column = { x, first: value, last: value, low: value, high: value, lowAt: i, highAt: i };
        columns.push(column);
        continue;
      }
      column.last = value;
      if (value < column.low) [column.low, column.lowAt] = [value, i];
      if (value > column.high) [column.high, column.highAt] = [value, i];
    }
    return columns;
  }
};
