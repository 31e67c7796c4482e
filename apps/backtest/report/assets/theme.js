"use strict";
// Runs before the page is painted: the colours that were chosen last, or those of the system.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("banyan-theme");
  } catch {
    chosen = null; // some browsers keep nothing for files
  }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.documentElement.dataset.chosen = chosen ? "yes" : "";
}
