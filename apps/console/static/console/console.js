"use strict";
(() => {
  const STREAM = document.currentScript.dataset.stream;
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // ---- times: in the reader's zone and manner, UTC on hover ----

  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const full = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const ago = (seconds) => {
    if (seconds < 1) return "now";
    if (seconds < 90) return `${Math.floor(seconds)} s ago`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
    if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
    return `${Math.round(seconds / 86400)} days ago`;
  };
  const tellTime = (element) => {
    const at = new Date(element.dateTime);
    const style = element.dataset.style;
    const isToday = at.toDateString() === new Date().toDateString();
    const text = style === "ago" ? ago((Date.now() - at) / 1000)
      : style === "full" || !isToday ? full.format(at)
      : style === "ms" ? `${clock.format(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`
      : clock.format(at);
    if (element.textContent !== text) element.textContent = text;
  };
  const tellTimes = (from = document) => all("time[datetime]", from).forEach(tellTime);
  setInterval(() => all("time[data-style=ago]").forEach(tellTime), 1000);

  // Of charts too, each time in the zone as it was then; bars of whole days are named by their day in UTC.
  window.chartTimes = (isByDay) => {
    const of = (parts, isUtc = isByDay) => new Intl.DateTimeFormat(undefined, { ...parts, hour12: false, timeZone: isUtc ? "UTC" : undefined });
    const day = { day: "numeric", month: "short" };
    const time = { hour: "2-digit", minute: "2-digit" };
    // Marks of days, months and years are made at midnight in UTC; that of a day is some other time here.
    const marks = [of({ year: "numeric" }, true), of({ month: "short" }, true), of(isByDay ? day : { ...day, ...time }), of(time), of({ ...time, second: "2-digit" })];
    const whole = of({ ...day, year: "numeric", ...(isByDay ? {} : { ...time, second: "2-digit" }) });
    return {
      timeFormatter: (at) => whole.format(at * 1000),
      tickMarkFormatter: (at, kind) => marks[kind].format(at * 1000),
    };
  };

  // ---- the stream: what moved, and whether anything is heard at all ----

  const pulse = one("[data-pulse]");
  const pulseText = one("[data-pulse-text]");
  const stale = one("[data-stale]");
  const SILENT_MS = 3500;
  const REST_MS = 1000;
  let heard = Date.now();
  let state = "opening";
  let problem = "";
  let fault = "";
  let marks = "";
  let wanted = false;
  let asking = false;
  let refreshed = Date.now();
  let owed = 2 * REST_MS;
  let later = 0;

  const say = (text) => {
    if (!stale) return;
    if (stale.textContent !== text) stale.textContent = text;
    stale.hidden = !text;
  };
  const look = () => {
    if (!pulse || !document.body.hasAttribute("data-live")) return;
    const silent = Date.now() - heard;
    const isSilent = silent > SILENT_MS || state === "signed-out";
    pulse.hidden = false;
    pulse.classList.toggle("bad", isSilent || problem !== "" || fault !== "");
    pulseText.textContent = isSilent ? "not live" : problem || fault ? "no data" : state === "opening" ? "connecting" : "live";
    if (state === "signed-out") say("You were signed out. Reload the page to sign in again.");
    else if (isSilent) say(`No data for ${Math.round(silent / 1000)} s: the server does not answer. What is shown is from then; it goes on by itself.`);
    else say(fault ? `${fault} What is shown is from before.` : problem);
    document.body.classList.toggle("is-stale", isSilent || fault !== "");
  };
  // Each answer is owed a rest of nine times as long as it took. What comes while little is owed is shown at once, what
  // comes on and on in turns: nine tenths of the time nothing is asked.
  const refresh = async () => {
    const part = one("[data-live-part]");
    if (!part || asking || document.hidden) return;
    if (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return;
    const begun = Date.now();
    clearTimeout(later);
    const rest = Math.max(0, owed - (begun - refreshed));
    if (rest > REST_MS) { later = setTimeout(refresh, rest - REST_MS); return; }
    asking = true;
    wanted = false;
    let isAway = false;
    try {
      const answer = await fetch(part.dataset.livePart || location.href, { headers: { "HX-Request": "true" }, redirect: "manual" });
      if (answer.ok) put(part, await answer.text());
      fault = answer.status === 503 ? await answer.text() : "";
    } catch { isAway = true; }
    refreshed = Date.now();
    owed = rest + Math.min(REST_MS, Math.max(200, 9 * (refreshed - begun)));
    asking = false;
    if (isAway) wanted = true;
    else if (wanted) refresh();
  };
  // What has the focus keeps it, what is scrolled stays where it is, what is read out is not read again.
  const put = (part, html) => {
    const made = document.createElement("template");
    made.innerHTML = html;
    tellTimes(made.content);
    const scrolled = all(".scroll", part).map((each) => each.scrollLeft);
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    const href = active && active.getAttribute("href");
    const label = active && active.getAttribute("aria-labelledby");
    part.replaceChildren(made.content);
    all(".scroll", part).forEach((each, at) => { each.scrollLeft = scrolled[at] || 0; });
    const again = href ? one(`a[href="${CSS.escape(href)}"]`, part) : label ? one(`.scroll[aria-labelledby="${label}"]`, part) : null;
    if (again) again.focus({ preventScroll: true });
    part.dispatchEvent(new Event("refreshed", { bubbles: true }));
  };
  const count = (alerts) => {
    const told = one("[data-count=alerts]");
    if (!told) return;
    const number = one("[data-number]", told);
    if (number.textContent !== String(alerts)) { number.textContent = alerts; wanted = true; }
    told.hidden = alerts === 0;
  };
  const onmessage = ({ data }) => {
    if (data.kind === "pulse") {
      const isBack = state !== "pulse";
      const now = JSON.stringify(data.marks);
      if (now !== marks || isBack) wanted = true;
      [state, heard, marks, problem] = ["pulse", data.heard, now, data.problem];
      if (data.alerts !== null) count(data.alerts);
    } else state = data.kind;
    look();
    if (wanted) refresh();
  };
  const listen = () => {
    if (!document.body.hasAttribute("data-live")) return;
    if ("SharedWorker" in window) {
      const worker = new SharedWorker(STREAM, { name: "banyan" });
      worker.port.onmessage = onmessage;
      worker.port.start();
      addEventListener("pagehide", () => worker.port.postMessage("leave"));
      addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
    } else {
      const script = document.createElement("script");
      script.src = STREAM;
      script.onload = () => window.openStream(onmessage);
      document.head.append(script);
    }
    setInterval(() => { look(); if (wanted || Date.now() - refreshed > 5000) refresh(); }, 250);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) { wanted = true; refresh(); } });
  };

  // ---- lists that follow what is typed ----

  for (const form of all("form[data-typing]")) {
    let waiting = 0;
    const place = one(form.dataset.typing);
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        const address = `${location.pathname}?${new URLSearchParams(new FormData(form))}`;
        try {
          const answer = await fetch(address, { headers: { "HX-Request": "true" }, redirect: "manual" });
          if (!answer.ok) return;
          put(place, await answer.text());
          place.dataset.livePart = address;
          history.replaceState(null, "", address);
        } catch { /* the page says that the server is away */ }
      }, 150);
    });
  }

  // ---- what was opened or closed stays so, in this browser; at first it is closed where it would fill the screen ----

  for (const each of all("details[data-kept]")) {
    const name = `open-${each.dataset.kept}`;
    let kept = null;
    try { kept = localStorage.getItem(name); } catch { /* then it is as at first each time */ }
    each.open = kept === null ? innerWidth > 760 : kept === "yes";
    one("summary", each).addEventListener("click", () => {
      try { localStorage.setItem(name, each.open ? "no" : "yes"); } catch { /* the same */ }
    });
  }

  // ---- keys, the menu, the way to other pages ----

  const help = one("#help");
  const go = one("#go");
  const found = one("#go-found");
  const places = all(".side a[href]").map((link) => ({ title: (one("[data-title]", link) || link).textContent.trim(), href: link.href }));
  let chosen = -1;
  let asked = 0;
  let typing = 0;
  const offer = () => {
    const text = go.value.trim();
    const pages = places.filter((each) => text && each.title.toLowerCase().includes(text.toLowerCase())).slice(0, 7);
    const accounts = places.find((each) => each.title === "Accounts");
    const last = text && accounts ? [{ title: `Accounts with “${text}”`, href: `${accounts.href}?find=${encodeURIComponent(text)}` }] : [];
    asked += 1;
    clearTimeout(typing);
    list(text, [...pages, ...last]);
    if (text) typing = setTimeout(() => lookUp(text, asked, pages, last), 150);
  };
  // What is found by the server comes between pages and the last resort; what was typed since makes it stale.
  const lookUp = async (text, number, pages, last) => {
    try {
      const answer = await fetch(`/find/?q=${encodeURIComponent(text)}`, { redirect: "manual" });
      if (!answer.ok) return;
      const told = await answer.json();
      if (number === asked) list(text, [...pages, ...told.found, ...last]);
    } catch { /* the page says that the server is away */ }
  };
  const list = (text, fitting) => {
    chosen = fitting.length ? 0 : -1;
    found.replaceChildren(...fitting.map((each, at) => {
      const item = document.createElement("li");
      item.id = `go-${at}`;
      item.role = "option";
      item.textContent = each.title;
      item.dataset.href = each.href;
      item.addEventListener("mousedown", () => { location.href = each.href; });
      return item;
    }));
    if (text && !fitting.length) {
      const none = document.createElement("li");
      none.textContent = "Nothing of that name";
      none.role = "option";
      none.setAttribute("aria-disabled", "true");
      found.append(none);
    }
    found.hidden = !text;
    go.setAttribute("aria-expanded", String(!found.hidden));
    choose(0);
  };
  const choose = (by) => {
    const items = all("[data-href]", found);
    if (!items.length) return;
    chosen = (chosen + by + items.length) % items.length;
    items.forEach((each, at) => each.setAttribute("aria-selected", String(at === chosen)));
    go.setAttribute("aria-activedescendant", items[chosen].id);
  };
  if (go) {
    go.addEventListener("input", offer);
    go.addEventListener("blur", () => { found.hidden = true; go.setAttribute("aria-expanded", "false"); });
    go.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); choose(event.key === "ArrowDown" ? 1 : -1); }
      if (event.key === "Enter") { const item = all("[data-href]", found)[chosen]; if (item) location.href = item.dataset.href; }
      if (event.key === "Escape") { go.value = ""; offer(); go.blur(); event.stopPropagation(); }
    });
  }
  const step = (by) => {
    const rows = all("tbody tr");
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.classList.contains("chosen"));
    const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))];
    rows.forEach((row) => row.classList.toggle("chosen", row === next));
    next.scrollIntoView({ block: "nearest" });
  };
  let begun = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const isSecond = Date.now() - begun < 1500;
    begun = 0;
    if (isSecond) { const link = one(`.side a[data-key="${CSS.escape(event.key)}"]`); if (link) { location.href = link.href; return; } }
    switch (event.key) {
      case "/": { const box = one("#searchbar") || go; if (box) { event.preventDefault(); box.focus(); } break; }
      case "?": if (help) help.showModal(); break;
      case "g": begun = Date.now(); break;
      case "t": window.toggleTheme(); break;
      case "j": step(1); break;
      case "k": step(-1); break;
      case "Enter": { const link = one("tr.chosen a[href]"); if (link && event.target === document.body) location.href = link.href; break; }
      case "Escape": document.body.classList.remove("menu-open"); all("details[open].who").forEach((each) => { each.open = false; }); break;
    }
  });
  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.closest("[data-help]")) help.showModal();
    if (target.closest("[data-theme-button]")) window.toggleTheme();
    const copy = target.closest("[data-copy]");
    if (copy) navigator.clipboard.writeText(one(copy.dataset.copy).textContent).then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = "Select it and copy it by hand"; });
    const menu = target.closest("[data-menu]");
    if (menu) menu.setAttribute("aria-expanded", String(document.body.classList.toggle("menu-open")));
    else if (!target.closest(".side")) document.body.classList.remove("menu-open");
    all("details[open].who").forEach((each) => { if (!each.contains(target)) each.open = false; });
  });

  tellTimes();
  listen();
  document.documentElement.dataset.ready = "yes";
})();
