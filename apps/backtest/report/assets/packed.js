// Reads columns that packing.py wrote: integers are steps from value to value, in units, scaled.
Banyan.unpack = (packed) => {
  const out = new Float64Array(packed.n);
  if (packed.type === "none") return out.fill(NaN);
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const view = new DataView(bytes.buffer);
  if (packed.type === "f8") {
    for (let i = 0; i < out.length; i++) out[i] = view.getFloat64(8 * i, true);
    return out;
  }
  const size = Number(packed.type[1]);
  const read = {
    1: (i) => view.getInt8(i),
    2: (i) => view.getInt16(2 * i, true),
    4: (i) => view.getInt32(4 * i, true),
  }[size];
  const missing = -(2 ** (8 * size - 1));
  let sum = packed.first;
  for (let i = 0; i < out.length; i++) {
    const step = read(i);
    if (step === missing) {
      out[i] = NaN;
    } else {
      sum += step * packed.unit;
      out[i] = sum / packed.scale;
    }
  }
  return out;
};

Banyan.unpackAll = (columns) => {
  const out = {};
  for (const [name, column] of Object.entries(columns)) {
    out[name] = column !== null && typeof column === "object" && "type" in column ? Banyan.unpack(column) : column;
  }
  return out;
};

// The last place in rising `values` that is not above `value`, or 0.
Banyan.lastAtOrBelow = (values, value) => {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return Math.max(low - 1, 0);
};
