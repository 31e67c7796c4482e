// Figures as figures.py writes them: thin grouping, a real minus sign, times in UTC.
Banyan.format = (() => {
  const THIN = "\u202f";
  const NOTHING = "\u2013";
  const makers = new Map();

  const digits = (count) => {
    if (!makers.has(count)) {
      makers.set(
        count,
        new Intl.NumberFormat("en-US", { minimumFractionDigits: count, maximumFractionDigits: count }),
      );
    }
    return makers.get(count);
  };

  const number = (value, decimals = 2, signed = false) => {
    if (!Number.isFinite(value)) return NOTHING;
    const text = digits(decimals).format(Math.abs(value)).replaceAll(",", THIN);
    if (!/[1-9]/.test(text)) return text;
    return (value < 0 ? "\u2212" : signed ? "+" : "") + text;
  };

  const percent = (value, decimals = 2, signed = true) => {
    const text = number(value, decimals, signed);
    return text === NOTHING ? text : text + THIN + "%";
  };

  const significant = (value, count = 4) => {
    if (!Number.isFinite(value)) return NOTHING;
    if (Number.isInteger(value)) return number(value, 0);
    return number(value, Math.min(Math.max(count - Math.floor(Math.log10(Math.abs(value))) - 1, 0), 10));
  };

  const moment = (milliseconds, withTime = true) =>
    new Date(milliseconds).toISOString().slice(0, withTime ? 16 : 10).replace("T", " ");

  const duration = (milliseconds) => {
    const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    let rest = Math.round(milliseconds / 1000);
    const parts = [];
    for (const [unit, size] of units) {
      const count = Math.floor(rest / size);
      rest -= count * size;
      if (count) parts.push(number(count, 0) + THIN + unit);
      if (parts.length === 2 || (parts.length && !count)) break;
    }
    return parts.join(" ") || "0" + THIN + "s";
  };

  return { number, percent, significant, moment, duration, NOTHING };
})();

// Builds an element; text is always text, never HTML.
Banyan.element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
};
