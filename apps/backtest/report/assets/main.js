// Puts the page together. A part that fails says so in its place and leaves the others alone.
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);

  const attempt = (name, work) => {
    try {
      return work();
    } catch (error) {
      console.error(error);
      document.getElementById(name)?.append(Banyan.element("p", { class: "empty" }, `This part could not be drawn: ${error}`));
      return null;
    }
  };

  const theme = () => {
    const root = document.documentElement;
    const button = document.getElementById("theme");
    const set = (dark) => {
      root.dataset.theme = dark ? "dark" : "light";
      button.setAttribute("aria-pressed", String(dark));
      Banyan.onTheme.tell();
    };
    const now = () => root.dataset.theme === "dark";
    set(now());
    button.addEventListener("click", () => {
      set(!now());
      root.dataset.chosen = "yes";
      try {
        localStorage.setItem("banyan-theme", root.dataset.theme);
      } catch {
        root.dataset.chosen = "yes"; // kept for this page only
      }
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
      if (!root.dataset.chosen) set(event.matches);
    });
    let before = false;
    addEventListener("beforeprint", () => {
      before = now();
      set(false);
    });
    addEventListener("afterprint", () => set(before));
  };

  const copy = () => {
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.addEventListener("click", async () => {
        const source = document.getElementById(button.dataset.copy);
        try {
          await navigator.clipboard.writeText(source.textContent);
          button.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(source); // without the right to the clipboard: ready for Ctrl+C
          button.textContent = "Selected";
        }
      });
    }
  };

  theme();
  attempt("content", Banyan.tips);
  attempt("content", Banyan.plots);
  attempt("content", copy);
  if (data.sweep) attempt("heatmap", () => Banyan.sweep(data.sweep));
  if (data.run) {
    const trades = Banyan.unpackAll(data.run.trades);
    trades.n = trades.channel.length;
    attempt("equity", () => Banyan.equity(data.run.equity, data.run.currency));
    const price = attempt("price", () => Banyan.price(data.run.prices, trades));
    attempt("trades", () => Banyan.trades(trades, data.run.channels, data.run.reasons, price));
  }
  document.documentElement.dataset.ready = "yes";
})();
