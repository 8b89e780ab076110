// What a node has reported, and console lines, the newest first.

import { h, replace } from "./dom.js";
import { clock } from "./format.js";
import { get, known } from "./server.js";

const SHOWN_MAX = 150;
const NAMES = { status: "state", health: "health", result: "answer", update: "update" };

export function eventsPanel(name, signal) {
  const list = h("ol", { class: "events" });
  const empty = h("p", { class: "empty" }, "Reading …");
  const panel = h("section", { class: "panel", "aria-labelledby": "events-title" },
    h("h2", { id: "events-title" }, "Events"), empty,
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-labelledby": "events-title" }, list));

  function item(kind, at, text, below, isBad) {
    return h("li", { class: isBad ? "bad" : null }, h("time", null, clock(at)), h("span", { class: "kind" }, kind), " ",
      h("span", { class: "text" }, text), (below || []).map((line) => h("pre", null, line)));
  }

  const ofEvent = (one) => item(NAMES[one.kind] || one.kind, one.received, one.text, one.below, one.bad);

  function put(element) {
    list.prepend(element);
    while (list.childElementCount > SHOWN_MAX) list.lastElementChild.remove();
    empty.hidden = true;
  }

  async function load() {
    try {
      const told = await get("/api/events", { node: name });
      if (signal.aborted) return;
      replace(list, told.events.map(ofEvent));
      empty.hidden = told.events.length > 0;
      empty.textContent = "It has reported nothing but readings yet.";
    } catch (error) {
      empty.hidden = false;
      empty.textContent = `The events could not be read: ${error.message}.`;
    }
  }

  known.hear("event", (one) => { if (one.node === name) put(ofEvent(one)); }, signal);
  known.hear("asked", (one) => { if (one.node === name) put(item("asked", one.at, `${one.do} (${one.id})`)); }, signal);
  known.hear("notice", (one) => put(item(one.source, one.at, one.text)), signal);
  known.hear("again", load, signal);
  let fault = known.bench?.fault;
  known.hear("bench", (bench) => {
    if (!bench || bench.fault === fault) return;
    fault = bench.fault;
    const now = bench.faults.find((one) => one.name === fault);
    if (now) put(item("bench", bench.at || Date.now() / 1000, now.title));
  }, signal);
  load();
  return panel;
}
