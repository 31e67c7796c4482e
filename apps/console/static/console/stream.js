"use strict";
// The one stream of a browser: every tab's page is a port of this worker, which holds one connection for all of them.
const ports = new Set();
let source = null;
let pause = 500;
let last = { kind: "opening" };

const tell = (message) => { last = message; for (const port of ports) port.postMessage(message); };

const open = () => {
  source = new EventSource("/stream/");
  source.addEventListener("pulse", (event) => {
    pause = 500;
    tell({ kind: "pulse", heard: Date.now(), ...JSON.parse(event.data) });
  });
  source.onerror = () => {
    source.close();
    source = null;
    check();
  };
};

// Why there is no stream: nobody is signed in any more, or the server is away.
const check = async () => {
  try {
    const answer = await fetch("/stream/", { method: "GET", headers: { Accept: "text/event-stream" }, redirect: "manual" });
    const status = answer.status;
    if (answer.body) await answer.body.cancel();
    if (status === 401) { tell({ kind: "signed-out" }); pause = 5000; }
  } catch { tell({ kind: "away" }); }
  setTimeout(open, pause);
  pause = Math.min(pause * 2, 5000);
};

self.onconnect = (event) => {
  const [port] = event.ports;
  ports.add(port);
  port.onmessage = (message) => { if (message.data === "leave") ports.delete(port); };
  port.postMessage(last);
  if (ports.size === 1 && source === null) open();
};
// Where there are no shared workers the page loads this file itself, and is its own only port.
if (typeof window !== "undefined") {
  window.openStream = (onmessage) => { ports.add({ postMessage: (data) => onmessage({ data }) }); open(); };
}
