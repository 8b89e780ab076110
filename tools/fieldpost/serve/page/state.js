// The state of a node, in words and shapes.

import { h, icon } from "./dom.js";
import { ago, ahead, duration, now } from "./format.js";

const STATES = {
  online: ["online", "Online"],
  asleep: ["asleep", "Asleep"],
  offline: ["offline", "Offline"],
  safe_mode: ["warning", "Safe mode"],
  unknown: ["unknown", "Not reported"],
};

export function stateBadge(node) {
  const [shape, word] = STATES[node.state] || ["unknown", node.state];
  const badges = [h("span", { class: `badge ${shape}` }, icon(shape), word)];
  if (node.is_late) {
    badges.push(h("span", { class: "badge warning" }, icon("warning"), "Late"));
  }
  return h("span", { class: "badges" }, badges);
}

export function due(node) {
  if (node.due === null) return "–";
  return node.is_late ? `${duration(now() - node.due)} overdue` : ahead(node.due);
}

// Texts that age while one looks: `update` writes them anew.
export class Aging {
  #made = [];

  text(make) {
    const element = h("span", null, make());
    this.#made.push([element, make]);
    return element;
  }

  update() {
    for (const [element, make] of this.#made) {
      const text = make();
      if (element.textContent !== text) element.textContent = text;
    }
  }
}

export const seen = (node) => ago(node.seen);
