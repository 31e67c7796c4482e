"use strict";
// What Unfold's pages expect of the page around them, for the build of Alpine.js that evaluates nothing.
document.addEventListener("alpine:init", () => {
  const { Alpine } = window;
  // A style of its own is what the policy does not let an element have; the bar of actions is as wide as its place.
  for (const each of document.querySelectorAll("[x-bind\\:style]")) each.removeAttribute("x-bind:style");
  Alpine.data("records", () => ({
    activeTab: document.body.dataset.tab || "general",
    openModal: false,
    filterOpen: false,
    openAllApplications: false,
    sidebarDesktopOpen: false,
    sidebarMobileOpen: false,
    // The page's address, which a form keeps its tab in: real globals are out of reach of expressions.
    window: { location: { pathname: location.pathname, search: location.search } },
  }));
  for (const name of ["searchForm", "searchDropdown", "searchCommand"]) {
    if (typeof window[name] === "function") Alpine.data(name, window[name]);
  }
});
