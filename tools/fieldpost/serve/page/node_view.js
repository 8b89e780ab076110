// One node: what is known of it, its curves, its events, and what it can be told.

import { benchPanel } from "./bench_panel.js";
import { commandPanel } from "./command_panel.js";
import { curves } from "./curves.js";
import { h, replace } from "./dom.js";
import { eventsPanel } from "./events_panel.js";
import { ago, clock, counted, duration, number, signal as signalText } from "./format.js";
import { fittingSpan, Range } from "./range.js";
import { known } from "./server.js";
import { Aging, due, seen, stateBadge } from "./state.js";

export function nodeView(main, name, signal) {
  const head = h("div", { class: "head" });
  const facts = h("dl", { class: "facts" });
  const left = h("div", { class: "left" });
  const right = h("div", { class: "right" });
  let range = null;
  let aging = new Aging();

  function fact(term, content, note) {
    return h("div", null, h("dt", null, term), h("dd", null, content, note ? h("small", null, note) : null));
  }

  function draw() {
    const one = known.nodes.get(name);
    if (!one) {
      replace(facts);
      const text = known.failure ? `It could not be read: ${known.failure}.`
        : known.isLoaded ? "No node of this name has reported to this store." : "Reading the store …";
      replace(head, h("a", { href: "#/" }, "All nodes"), h("h1", null, name), h("p", { class: "empty" }, text));
      return;
    }
    aging = new Aging();
    const latest = () => known.nodes.get(name) || one;
    if (!head.querySelector(".badges")) {
      replace(head, h("a", { href: "#/", class: "up" }, "All nodes"), h("h1", null, name), h("span", { id: "badges" }),
        h("span", { class: "spring" }), compareWith());
    }
    replace(head.querySelector("#badges"), stateBadge(one));
    replace(facts,
      fact("Last seen", aging.text(() => seen(latest()))),
      fact("Next due", aging.text(() => due(latest())), one.interval_s ? `a reading each ${duration(one.interval_s)}` : null),
      fact("Battery", one.supply_mv === null ? "not measured" : `${(one.supply_mv / 1000).toFixed(2)} V`),
      fact("Signal", signalText(one.rssi) || "not reported"),
      fact("Backlog", one.backlog === null ? "not reported" : one.backlog ? `${number(one.backlog)} waiting` : "none", "as it last reported"),
      fact("Missing", one.missing ? h("strong", { class: "lacks" }, number(one.missing)) : "none",
        one.dropped ? `it dropped ${number(one.dropped)} by itself` : `of ${counted(one.readings, "reading")}`),
      fact("Version", one.firmware || "not reported", one.board),
      fact("Up for", one.uptime_s === null ? "not reported" : duration(one.uptime_s), counted(one.boots, "boot")));
    if (!range) {
      range = new Range(fittingSpan(one.interval_s));
      if (one.last && one.state === "offline") {
        const age = Date.now() / 1000 - one.last.t;
        if (age > range.span) range.choose(one.last.t - range.span * 0.98, one.last.t + range.span * 0.02);
      }
      replace(left, curves([name], range, signal));
      replace(right, commandPanel(name, signal), benchPanel(signal), eventsPanel(name, signal));
    }
  }

  function compareWith() {
    const select = h("select", { "aria-label": "Compare with another node", onchange: () => {
      if (select.value) location.hash = `#/compare/${encodeURIComponent(name)},${encodeURIComponent(select.value)}`;
    } }, h("option", { value: "" }, "Compare with …"),
    [...known.nodes.keys()].filter((one) => one !== name).map((one) => h("option", { value: one }, one)));
    return known.nodes.size > 1 ? select : null;
  }

  replace(main, head, facts, h("div", { class: "columns" }, left, right));
  known.hear("nodes", (changed) => {
    if (changed.includes(name) || !range) draw();
  }, signal);
  const timer = setInterval(() => aging.update(), 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
  draw();
}
