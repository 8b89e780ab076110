// Some nodes beside each other: a chart for each field, a line for each node.

import { curves } from "./curves.js";
import { h, replace } from "./dom.js";
import { counted } from "./format.js";
import { fittingSpan, Range } from "./range.js";
import { known } from "./server.js";

export function comparison(main, names, signal) {
  const body = h("div");
  replace(main, h("div", { class: "head" }, h("a", { href: "#/", class: "up" }, "All nodes"),
    h("h1", null, `${counted(names.length, "node")} compared`)), body);
  // Of the nodes that are shown. They become known one by one: by what they send, and by the list.
  let shown = 0;
  let life = new AbortController();
  signal.addEventListener("abort", () => life.abort(), { once: true });

  function draw() {
    const found = names.filter((name) => known.nodes.has(name));
    if (shown && found.length === shown) return;
    if (!found.length || (found.length < names.length && !known.isLoaded)) {
      replace(body, h("p", { class: "empty" }, known.isLoaded ? "None of these nodes has reported." : "Reading the store …"));
      return;
    }
    shown = found.length;
    life.abort();
    life = new AbortController();
    const interval = Math.max(...found.map((name) => known.nodes.get(name).interval_s || 0));
    replace(body, curves(found, new Range(fittingSpan(interval)), life.signal));
  }

  known.hear("nodes", draw, signal);
  draw();
}
