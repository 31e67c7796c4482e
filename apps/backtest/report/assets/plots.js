// Small plots: a line under the pointer, and what is there in words.
Banyan.plots = () => {
  for (const plot of document.querySelectorAll(".plot[data-hover]")) {
    const points = JSON.parse(plot.dataset.hover);
    const places = points.map((point) => point[0]);
    const field = plot.querySelector(".plot-field");
    const pointer = Banyan.element("div", { class: "pointer", hidden: "" });
    const told = Banyan.element("div", { class: "pointed", hidden: "" });
    field.append(pointer, told);

    const move = (event) => {
      const edge = field.getBoundingClientRect();
      const at = Math.min(Math.max((event.clientX - edge.left) / edge.width, 0), 1);
      let nearest = Banyan.lastAtOrBelow(places, at);
      if (nearest + 1 < places.length && places[nearest + 1] - at < at - places[nearest]) nearest += 1;
      const x = places[nearest] * edge.width;
      pointer.hidden = told.hidden = false;
      pointer.style.left = `${x}px`;
      told.textContent = points[nearest][1];
      const half = told.offsetWidth / 2;
      told.style.left = `${Math.min(Math.max(x, half - 40), edge.width - half + 8)}px`;
    };
    const leave = () => {
      pointer.hidden = told.hidden = true;
    };
    plot.addEventListener("pointermove", move);
    plot.addEventListener("pointerdown", move);
    plot.addEventListener("pointerleave", leave);
  }
};
