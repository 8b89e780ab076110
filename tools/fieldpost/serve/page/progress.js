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
    say(this.wrong, "");
    replace(this.steps);
  }

  step(text, kind) {
    this.steps.append(h("li", { class: kind || null }, text));
  }

  add(element) {
    this.steps.append(h("li", null, element));
  }

  // Of what the server tells, that which is a sentence or how far a step is.
  told(one) {
    if (one.kind === "say") this.step(one.text);
    if (one.kind !== "progress") return;
    this.bar.hidden = false;
    this.bar.setAttribute("aria-label", one.text);
    if (one.total) { this.bar.max = one.total; this.bar.value = one.done; } else this.bar.removeAttribute("value");
    let item = this.steps.lastElementChild;
    if (item?.dataset.step !== one.text) {
      // A reader of the screen is told of the step, and asks the bar how far it is.
      item = h("li", null, `${one.text} …`, h("span", { "aria-hidden": "true" }));
      item.dataset.step = one.text;
      this.steps.append(item);
    }
    if (one.total) say(item.lastElementChild, ` ${Math.floor(100 * one.done / one.total)} %`);
  }

  say(text) {
    say(this.wrong, text);
  }

  over(text) {
    this.say(text);
    this.bar.hidden = true;
  }
}
