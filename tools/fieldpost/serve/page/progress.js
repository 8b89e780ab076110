// How some work goes on that the server does: its steps, how far one is, and what went wrong.

import { h, replace, say } from "./dom.js";

export class Progress {
  constructor() {
    this.steps = h("ol", { class: "steps", "aria-live": "polite" });
    this.bar = h("progress", { hidden: true, "aria-label": "How far this step is" });
    this.wrong = h("p", { class: "wrong", role: "alert" });
    this.elements = [this.wrong, this.bar, this.steps];
  }

  begin() {
    this.now = null;
    say(this.wrong, "");
    replace(this.steps);
  }

  step(text, kind) {
    this.add(text, kind);
  }

  // What went on is done by then.
  add(content, kind) {
    this.#ended("done");
    const item = h("li", { class: kind || null }, content);
    this.steps.append(item);
    item.scrollIntoView({ block: "nearest" });
    return item;
  }

  // Of what the server tells, that which is a sentence or how far a step is.
  told(one) {
    if (one.kind === "say") this.step(one.text);
    if (one.kind !== "progress") return;
    this.bar.hidden = false;
    this.bar.setAttribute("aria-label", one.text);
    if (one.total) { this.bar.max = one.total; this.bar.value = one.done; } else this.bar.removeAttribute("value");
    if (this.now?.dataset.step !== one.text) {
      // A reader of the screen is told of the step, and asks the bar how far it is.
      const part = h("span", { "aria-hidden": "true" }, " …");
      const item = this.add([one.text[0].toUpperCase() + one.text.slice(1), part], "now");
      item.dataset.step = one.text;
      this.now = item;
    }
    if (one.total) say(this.now.lastElementChild, ` … ${Math.floor(100 * one.done / one.total)} %`);
  }

  say(text) {
    say(this.wrong, text);
  }

  over(text) {
    this.#ended(text ? "refused" : "done");
    this.say(text);
    this.bar.hidden = true;
  }

  #ended(kind) {
    if (!this.now) return;
    this.now.className = kind;
    if (kind === "done") this.now.lastElementChild.remove();
    this.now = null;
  }
}
