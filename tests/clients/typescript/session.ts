// A working session of a client's program: what it has, an order, its life, and what goes wrong.
import createClient from "openapi-fetch";
import type { components, paths } from "./banyan.js";

type Order = components["schemas"]["Order"];
type Problem = components["schemas"]["Problem"];

const baseUrl = process.env["BANYAN_URL"]!;
const headers = { Authorization: `Bearer ${process.env["BANYAN_KEY"]}` };
const bank = createClient<paths, "application/json" | "application/problem+json">({ baseUrl, headers });
const news = createClient<paths, "text/event-stream" | "application/problem+json">({ baseUrl, headers });
const account = process.env["BANYAN_ACCOUNT"]!;

function told<T>({ data, error }: { data?: T; error?: Problem }): T {
  if (data === undefined) throw new Error(error?.detail);
  return data;
}

async function accounts(): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const query = { limit: 10, fields: ["account" as const, "equity" as const], ...(cursor ? { cursor } : {}) };
    const page: components["schemas"]["AccountPage"] = told(await bank.GET("/api/v1/accounts", { params: { query } }));
    found.push(...page.data.map((each) => each.account!));
    cursor = page.next;
  }
  return found;
}

async function place(key: string, lots: string): Promise<{ version: string; act: string; replayed: boolean } | Problem> {
  const { data, error, response } = await bank.POST("/api/v1/orders", {
    params: { header: { "Idempotency-Key": key } },
    body: { account, instrument: "OANDA:EURUSD", lots, limit: "0.5", time_in_force: "gtc", reason: "a session" },
  });
  if (error) return error;
  return { version: data.version!, act: data.act, replayed: response.headers.has("Idempotency-Replayed") };
}

// The order that a write led to. A read that names its version waits for it; after a second one asks again.
async function placed(version: string): Promise<Order> {
  for (;;) {
    const { data, error } = await bank.GET("/api/v1/orders", {
      params: { query: { version } },
    });
    if (error?.code !== "version-awaited") return told({ data, error }).data[0]!;
  }
}

async function* heard(since: string): AsyncGenerator<Order> {
  const { data, response } = await news.GET("/api/v1/streams/orders", {
    params: { query: { account, since } },
    parseAs: "stream",
  });
  if (!data) throw new Error(`no stream: ${response.status}`);
  let text = "";
  for await (const piece of data.pipeThrough(new TextDecoderStream())) {
    const events = (text + piece).split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      const lines = new Map(event.split("\n").map((line) => line.split(/: (.*)/s, 2) as [string, string]));
      if (lines.get("event") === "orders") yield JSON.parse(lines.get("data")!) as Order;
    }
  }
}

const begun = new Date().toISOString();
const key = crypto.randomUUID();
const first = await place(key, "1000");
if (!("version" in first)) throw new Error(first.detail);
const again = await place(key, "1000");
const other = await place(key, "2000");
const order = await placed(first.version);
const states: string[] = [];
for await (const each of heard(begun)) {
  if (each.decision !== order.decision) continue;
  states.push(each.state!);
  if (each.state === "New") {
    told(await bank.POST("/api/v1/orders/{account}/{instrument}/{decision}/cancel", {
      params: {
        path: { account, instrument: order.instrument!, decision: order.decision! },
        header: { "Idempotency-Key": crypto.randomUUID() },
      },
      body: { reason: "the session is over" },
    }));
  }
  if (each.ended_at) break;
}
const nobody = await bank.GET("/api/v1/accounts/{account}", { params: { path: { account: "NOBODY" } } });
console.log(
  JSON.stringify({ accounts: await accounts(), first, again, other, order, states, nobody: nobody.error }),
);
process.exit(0);
