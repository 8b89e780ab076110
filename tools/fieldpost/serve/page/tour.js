// A walk through the page for who sees it for the first time.

import { h, replace } from "./dom.js";
import { known } from "./server.js";

const KEPT = "fieldpost.tour";
const STEPS = [
  ["", "Readings, each exactly once", "Nodes publish to the broker. What comes is stored in a file beside this page, each reading once, and stands here a moment later."],
  ["table.nodes, .empty", "The nodes", "One row for each: its state, when it was last heard of, when it is due, and what it lacks. Choose some to compare them."],
  ["figure .area, td.c-name, th.c-name", "The curves", "A node’s name leads to its curves. Drag over a stretch to look into it. A hollow triangle came late; what is hatched is missing."],
  [".commands, th.c-state", "Tell a node something", "On a node’s page you let it blink, sample, deliver or restart, and change a setting, which is checked before it is sent."],
  [".bench", "Break something", "With our own broker you can take it away, or make the way to it slow. Watch the backlog grow, and fill in where it belongs when the way is free again."],
];

export function offerTour() {
  if (localStorage.getItem(KEPT)) return;
  const offer = h("aside", { class: "offer", "aria-label": "First visit" },
    h("p", null, "New here? A walk of a minute shows what this page is for."),
    h("button", { type: "button", class: "strong", onclick: () => { offer.remove(); startTour(); } }, "Show me"),
    h("button", { type: "button", onclick: () => { localStorage.setItem(KEPT, "no"); offer.remove(); } }, "No, thanks"));
  document.getElementById("main").before(offer);
}

export function startTour() {
  document.querySelector(".offer")?.remove();
  localStorage.setItem(KEPT, "seen");
  if (document.querySelector("dialog.tour")) return;
  const node = [...known.nodes.keys()][0];
  let at = 0;
  let marked = null;
  const dialog = h("dialog", { class: "tour", "aria-labelledby": "tour-title" });
  const focused = document.activeElement;

  function mark(selector) {
    marked?.classList.remove("marked");
    marked = selector ? document.querySelector(selector) : null;
    marked?.classList.add("marked");
    marked?.scrollIntoView({ block: "center" });
  }

  function draw() {
    const [selector, title, text] = STEPS[at];
    mark(selector);
    const last = at === STEPS.length - 1;
    replace(dialog, h("p", { class: "count" }, `${at + 1} of ${STEPS.length}`), h("h2", { id: "tour-title" }, title), h("p", null, text),
      h("div", { class: "actions" },
        at ? h("button", { type: "button", onclick: () => { at -= 1; draw(); } }, "Before") : null,
        h("button", { type: "button", onclick: () => dialog.close() }, "End"),
        h("button", { type: "button", class: "strong", onclick: () => { if (last) { dialog.close(); if (node) location.hash = `#/node/${encodeURIComponent(node)}`; } else { at += 1; draw(); } } },
          last ? (node ? `To ${node}` : "Done") : "Next")));
    dialog.querySelector(".strong").focus();
  }

  dialog.addEventListener("close", () => {
    mark(null);
    dialog.remove();
    focused?.focus();
  });
  document.body.append(dialog);
  draw();
  dialog.showModal();
  dialog.querySelector(".strong").focus();
}
