// What the server answers, and what it tells unasked.

export class Failed extends Error {}

async function answer(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    told = { error: await response.text().catch(() => "") };
  }
  if (!response.ok) throw new Failed(told.error || `the server answers ${response.status}`);
  return told;
}

export async function get(path, query) {
  const text = query ? `?${new URLSearchParams(query)}` : "";
  try {
    return await answer(await fetch(path + text));
  } catch (error) {
    throw error instanceof Failed ? error : new Failed("fieldpost serve does not answer");
  }
}

export async function post(path, told) {
  try {
    return await answer(
      await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json", "x-fieldpost": "1" },
        body: JSON.stringify(told),
      }),
    );
  } catch (error) {
    throw error instanceof Failed ? error : new Failed("fieldpost serve does not answer");
  }
}

export const node = (name) => `/api/nodes/${encodeURIComponent(name)}`;

// Nodes as they are now, the bench, and who wants to be told of changes.
class Known extends EventTarget {
  nodes = new Map();
  bench = null;
  isLoaded = false;
  isLinked = null;
  failure = null;

  tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  hear(kind, listener, signal) {
    this.addEventListener(kind, (event) => listener(event.detail), { signal });
  }

  async load() {
    try {
      const told = await get("/api/nodes");
      this.nodes = new Map(told.nodes.map((one) => [one.name, one]));
      this.bench = await get("/api/bench");
      this.isLoaded = told.is_loaded;
      this.failure = null;
      if (!told.is_loaded) setTimeout(() => this.load(), 1000);
    } catch (error) {
      this.failure = error.message;
      setTimeout(() => this.load(), 3000);
    }
    this.tell("nodes", [...this.nodes.keys()]);
    this.tell("bench", this.bench);
  }

  link(isLinked) {
    if (this.isLinked === isLinked) return;
    this.isLinked = isLinked;
    this.tell("link", isLinked);
  }
}

export const known = new Known();

let source = null;
let cursor = "";

function close() {
  if (source) source.close();
  source = null;
}

// The browser itself comes back after a break, with the last number that it has seen. A page that
// nobody sees lets go: of connections to one server a browser has only six for all its tabs.
function open() {
  if (source || document.hidden) return;
  const mine = new EventSource(cursor ? `/api/live?after=${cursor}` : "/api/live");
  source = mine;
  mine.onopen = () => known.link(true);
  mine.onerror = () => {
    known.link(false);
    if (mine.readyState === EventSource.CLOSED && source === mine) {
      close();
      setTimeout(open, 3000);
    }
  };
  const hear = (kind, does) => mine.addEventListener(kind, (event) => {
    cursor = event.lastEventId;
    does(event.data ? JSON.parse(event.data) : null);
  });
  for (const kind of ["begin", "again"]) {
    hear(kind, () => {
      known.load();
      known.tell("again", null);
    });
  }
  hear("nodes", (rows) => {
    for (const one of rows) known.nodes.set(one.name, one);
    known.tell("nodes", rows.map((one) => one.name));
  });
  for (const kind of ["readings", "event", "asked", "notice"]) {
    hear(kind, (told) => known.tell(kind, told));
  }
  hear("bench", (told) => {
    known.bench = { ...known.bench, ...told };
    known.tell("bench", known.bench);
  });
}

export function listen() {
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
