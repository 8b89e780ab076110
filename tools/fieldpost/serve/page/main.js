// Which view is shown, and what stands around it.

import { comparison } from "./compare_view.js";
import { h, replace, say } from "./dom.js";
import { nodeView } from "./node_view.js";
import { nodesView } from "./nodes_view.js";
import { known, listen } from "./server.js";
import { setUpView } from "./set_up_view.js";
import { offerTour, startTour } from "./tour.js";

const main = document.getElementById("main");
let view = null;

function show() {
  if (view) view.abort();
  view = new AbortController();
  const [, kind, rest] = location.hash.match(/^#\/(node|compare)\/(.+)$/) || [];
  let names = [];
  try {
    names = (rest || "").split(",").filter(Boolean).map(decodeURIComponent);
  } catch {
    location.hash = "#/";
    return;
  }
  document.title = names.length ? `${names.join(", ")} – Fieldpost` : "Fieldpost";
  if (location.hash === "#/set-up") setUpView(main, view.signal);
  else if (kind === "node") nodeView(main, names[0], view.signal);
  else if (kind === "compare") comparison(main, names, view.signal);
  else nodesView(main, view.signal);
}

const THEMES = { "": "Auto", dark: "Dark", light: "Light" };

function setUpTheme() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const tell = () => {
    button.textContent = THEMES[root.dataset.theme || ""];
    button.setAttribute("aria-label", `Colours: ${button.textContent}. Change`);
  };
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(root.dataset.theme || "") + 1) % names.length];
    if (next) root.dataset.theme = next;
    else delete root.dataset.theme;
    localStorage.setItem("fieldpost.theme", next);
    tell();
    known.tell("theme", null);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    known.tell("theme", null),
  );
  tell();
}

function setUpLink() {
  const link = document.getElementById("link");
  const banner = document.getElementById("banner");
  const tell = () => {
    const bench = known.bench;
    const isLost = known.isLinked === false;
    banner.hidden = !isLost && !known.failure;
    if (isLost) say(banner, "This page has lost fieldpost serve. It tries again by itself.");
    else if (known.failure) say(banner, `What is shown may be old: ${known.failure}.`);
    link.classList.toggle("bad", isLost || (bench && !bench.is_connected));
    if (isLost) say(link, "not live");
    else if (!bench) say(link, "connecting …");
    else say(link, bench.is_connected ? `live · ${bench.broker}` : `no connection to ${bench.broker}`);
  };
  known.hear("link", tell);
  known.hear("bench", tell);
}

function goByKey(event) {
  if (event.target.closest("input, select, textarea, dialog") || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "/") {
    const filter = document.getElementById("filter");
    if (filter) {
      event.preventDefault();
      filter.focus();
    }
  } else if (event.key === "u") {
    location.hash = "#/";
  }
}

window.addEventListener("hashchange", () => {
  show();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
document.addEventListener("keydown", goByKey);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById("tour").addEventListener("click", startTour);
setUpTheme();
setUpLink();
replace(main, h("p", { class: "empty" }, "Reading the store …"));
show();
listen();
offerTour();
