// Definitions: shown by the style sheet; here they are kept inside the page and closed by Escape.
Banyan.tips = () => {
  const place = (box) => {
    box.classList.remove("dismissed");
    const tip = box.querySelector(".tip");
    tip.style.removeProperty("--shift");
    const edge = tip.getBoundingClientRect();
    const over = edge.right - (document.documentElement.clientWidth - 12);
    if (over > 0) tip.style.setProperty("--shift", `${-over}px`);
  };
  for (const box of document.querySelectorAll(".term-box")) {
    box.addEventListener("mouseenter", () => place(box));
    box.addEventListener("focusin", () => place(box));
    box.querySelector(".term").addEventListener("click", (event) => event.currentTarget.focus());
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const box of document.querySelectorAll(".term-box:hover, .term-box:focus-within")) box.classList.add("dismissed");
  });
};
