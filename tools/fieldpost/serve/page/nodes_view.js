// All nodes: a table, on a phone a card for each.

import { benchPanel } from "./bench_panel.js";
import { h, replace, say } from "./dom.js";
import { counted, number, signal as signalText, withUnit } from "./format.js";
import { known } from "./server.js";
import { Aging, due, seen, stateBadge } from "./state.js";

const COMPARED_MAX = 8;
const COLUMNS = [
  ["name", "Node", (one) => one.name],
  ["state", "State", (one) => (one.is_late ? " " : "") + one.state],
  ["seen", "Last seen", (one) => -(one.seen || 0)],
  ["due", "Next due", (one) => one.due ?? Infinity],
  ["values", "Measured last", null],
  ["battery", "Battery", (one) => one.supply_mv ?? Infinity],
  ["signal", "Signal", (one) => one.rssi ?? Infinity],
  ["backlog", "Backlog", (one) => -(one.backlog || 0)],
  ["missing", "Missing", (one) => -(one.missing + (one.dropped || 0))],
  ["firmware", "Version", (one) => one.firmware || ""],
];

export function nodesView(main, signal) {
  let sortedBy = "name";
  const chosen = new Set();
  const aging = { current: new Aging() };
  const count = h("p", { class: "count", role: "status" });
  const filter = h("input", {
    id: "filter", type: "search", placeholder: "Filter by name or state  ( / )",
    "aria-label": "Filter nodes by name or state", oninput: () => draw(),
  });
  const compare = h("button", { type: "button", disabled: true, onclick: () => {
    location.hash = `#/compare/${[...chosen].map(encodeURIComponent).join(",")}`;
  } }, "Compare");
  const body = h("tbody");
  const heads = COLUMNS.map(([key, text, by]) => h("th", { scope: "col", class: `c-${key}` },
    by ? h("button", { type: "button", class: "sort", onclick: () => { sortedBy = key; draw(); } }, text) : text));
  const table = h("table", { class: "nodes" },
    h("caption", { class: "away" }, "Nodes, with their state and what they lack"),
    h("thead", null, h("tr", null, h("th", { scope: "col", class: "c-pick" }, h("span", { class: "away" }, "Compare")), heads)),
    body);
  const empty = h("div", { class: "empty", hidden: true });
  replace(main,
    h("div", { class: "head" }, h("h1", null, "Nodes"), count, h("span", { class: "spring" }), filter, compare),
    h("div", { class: "wide" }, table), empty, benchPanel(signal));

  function matches(one) {
    const wanted = filter.value.trim().toLowerCase();
    const text = `${one.name} ${one.state} ${one.is_late ? "late" : ""}`.toLowerCase();
    return !wanted || text.includes(wanted);
  }

  function pick(name, isOn) {
    if (isOn && chosen.size < COMPARED_MAX) chosen.add(name);
    else chosen.delete(name);
    compare.disabled = chosen.size < 2;
    compare.textContent = chosen.size > 1 ? `Compare ${chosen.size}` : "Compare";
    return chosen.has(name);
  }

  function row(one) {
    const box = h("input", { type: "checkbox", checked: chosen.has(one.name), "aria-label": `Compare ${one.name}`,
      onchange: (event) => { event.target.checked = pick(one.name, event.target.checked); } });
    const values = Object.entries(one.last?.values || {})
      .filter(([name, value]) => value !== null && !name.endsWith("supply_mv")).slice(0, 3);
    const lacks = [one.missing ? counted(one.missing, "missing", "missing") : null,
      one.dropped ? `${number(one.dropped)} dropped by itself` : null].filter(Boolean);
    const cell = (key, ...content) => h("td", { class: `c-${key}`, "data-label": COLUMNS.find((c) => c[0] === key)[1] }, content);
    return h("tr", { "data-node": one.name },
      h("td", { class: "c-pick" }, box),
      h("th", { scope: "row", class: "c-name" }, h("a", { href: `#/node/${encodeURIComponent(one.name)}` }, one.name)),
      cell("state", stateBadge(one)),
      cell("seen", aging.current.text(() => seen(known.nodes.get(one.name) || one))),
      cell("due", aging.current.text(() => due(known.nodes.get(one.name) || one))),
      cell("values", values.length ? values.map(([name, value]) => h("span", { class: "value" }, `${name.replaceAll("_", " ")} `, h("b", null, withUnit(value, Object.hasOwn(one.last.units, name) ? one.last.units[name] : null)))) : "–"),
      cell("battery", one.supply_mv === null ? "–" : `${(one.supply_mv / 1000).toFixed(2)} V`),
      cell("signal", signalText(one.rssi) || "–"),
      cell("backlog", one.backlog === null ? "–" : one.backlog ? `${number(one.backlog)} waiting` : "none"),
      cell("missing", lacks.length ? h("strong", { class: "lacks" }, lacks.join(", ")) : "none"),
      cell("firmware", one.firmware || "–"));
  }

  function draw() {
    const by = COLUMNS.find((one) => one[0] === sortedBy)[2];
    const every = [...known.nodes.values()];
    const shown = every.filter(matches).sort((a, b) => {
      const [x, y] = [by(a), by(b)];
      return x < y ? -1 : x > y ? 1 : a.name < b.name ? -1 : 1;
    });
    heads.forEach((head, at) => COLUMNS[at][0] === sortedBy ? head.setAttribute("aria-sort", "ascending") : head.removeAttribute("aria-sort"));
    // Whoever is at a row with the keyboard stays there.
    const held = document.activeElement?.closest("tr")?.dataset.node;
    const heldIs = document.activeElement?.tagName;
    aging.current = new Aging();
    replace(body, shown.map(row));
    if (held) body.querySelector(`tr[data-node="${CSS.escape(held)}"] ${heldIs === "INPUT" ? "input" : "a"}`)?.focus();
    table.hidden = !shown.length;
    const late = every.filter((one) => one.is_late).length;
    say(count, every.length ? `${counted(every.length, "node")}${late ? `, ${late} late` : ""}` : "");
    empty.hidden = shown.length > 0;
    if (!shown.length) drawEmpty(every.length);
  }

  function drawEmpty(total) {
    if (total) replace(empty, h("p", null, `None of the ${total} nodes has “${filter.value}” in its name or state.`));
    else if (known.failure) replace(empty, h("p", null, `The nodes could not be read: ${known.failure}.`));
    else if (!known.isLoaded) replace(empty, h("p", null, "Reading the store …"));
    else replace(empty, h("h2", null, "No node has reported yet"),
      h("p", null, "As soon as one publishes to this broker it stands here. Let one come:"),
      (known.bench?.lines || []).map((one) => h("p", { class: "line" }, h("span", null, one.title), h("code", null, one.line))));
  }

  let isDue = false;
  known.hear("nodes", () => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => { isDue = false; if (!signal.aborted) draw(); }, 150);
  }, signal);
  const timer = setInterval(() => aging.current.update(), 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
  draw();
}
