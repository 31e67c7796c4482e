"use strict";
// Before anything is drawn, so that a dark page never flashes white.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const isDark = () => (kept() ? kept() === "dark" : system.matches);
  const apply = () => document.documentElement.classList.toggle("dark", isDark());
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  window.toggleTheme = () => {
    try { localStorage.setItem("theme", isDark() ? "light" : "dark"); } catch { /* then it lasts for this page */ }
    apply();
    dispatchEvent(new Event("themechange"));
  };
  apply();
})();
