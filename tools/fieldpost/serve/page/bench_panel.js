// The broker at the bench, and what may befall the way to it.

import { h, replace, say } from "./dom.js";
import { counted } from "./format.js";
import { known, post } from "./server.js";

export function benchPanel(signal) {
  const where = h("p", { class: "where" });
  const choices = h("div", { class: "faults", role: "group", "aria-label": "Fault on the way to the broker" });
  const told = h("p", { class: "told", role: "status" });
  const lines = h("details", null, h("summary", null, "Bring a node here"));
  const linesBody = h("div");
  lines.append(linesBody);
  const panel = h("section", { class: "panel bench", "aria-labelledby": "bench-title" },
    h("h2", { id: "bench-title" }, "At the bench"), where, choices, told, lines);

  async function choose(name) {
    try {
      await post("/api/bench/fault", { fault: name });
    } catch (error) {
      say(told, `That was not done: ${error.message}`);
    }
  }

  function draw() {
    const bench = known.bench;
    if (!bench) return;
    const count = bench.connections === null ? "" : `, ${counted(bench.connections, "connection")}`;
    say(where, bench.broker + count);
    replace(linesBody, bench.lines.map((one) => h("p", { class: "line" }, h("span", null, one.title), h("code", null, one.line))));
    lines.hidden = !bench.lines.length;
    choices.hidden = told.hidden = !bench.faults.length;
    if (choices.childElementCount !== bench.faults.length) {
      replace(choices, bench.faults.map((one) => h("button", { type: "button", "data-fault": one.name,
        title: one.text, onclick: () => choose(one.name) }, one.title)));
    }
    for (const button of choices.children) {
      button.setAttribute("aria-pressed", String(button.dataset.fault === bench.fault));
    }
    const now = bench.faults.find((one) => one.name === bench.fault);
    if (now) say(told, now.text);
    panel.classList.toggle("broken", Boolean(bench.fault && bench.fault !== "none"));
  }

  known.hear("bench", draw, signal);
  draw();
  return panel;
}
