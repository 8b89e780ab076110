// A board set up from here: which port, what it is to be, and its first reading.

import { ConfigForm } from "./config_form.js";
import { h, replace, say } from "./dom.js";
import { get, known } from "./server.js";
import { Board, canSerial } from "./serial.js";

export function setUpView(main, signal) {
  const steps = h("ol", { class: "steps", "aria-live": "polite" });
  const bar = h("progress", { hidden: true, "aria-label": "How far this step is" });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const flash = h("input", { type: "checkbox", name: "flash" });
  const fresh = h("input", { type: "checkbox", name: "fresh" });
  const go = h("button", { type: "submit", class: "strong" }, "Choose the board and set it up");
  const place = h("div", null, h("p", { class: "empty" }, "Reading what a node can be told …"));
  let board = null;
  let config = null;

  function step(text, kind) {
    steps.append(h("li", { class: kind || null }, text));
  }

  function told(one) {
    if (one.kind === "progress") {
      bar.hidden = false;
      bar.setAttribute("aria-label", one.text);
      if (one.total) { bar.max = one.total; bar.value = one.done; } else bar.removeAttribute("value");
      if (steps.lastElementChild?.dataset.step !== one.text) {
        const item = h("li", null, `${one.text} …`);
        item.dataset.step = one.text;
        steps.append(item);
      }
    } else if (one.kind === "say") step(one.text);
    else if (one.kind === "reset") board?.restart();
    else if (one.kind === "failed") over(one.text);
    else if (one.kind === "done") {
      step(one.reading ? `First reading: ${one.reading}` : "It is ready, and has not measured yet.", "done");
      step(one.is_delivered ? "It was delivered to the broker." : "It waits on the node: no broker has taken it yet.", one.is_delivered ? "done" : null);
      for (const lack of one.lacks) step(lack, "refused");
      steps.append(h("li", null, h("a", { href: `#/node/${encodeURIComponent(one.node)}` }, `See ${one.node}`)));
      over("");
    }
  }

  function over(text) {
    say(wrong, text);
    bar.hidden = true;
    go.disabled = false;
    board?.close();
    board = null;
  }

  async function start(event) {
    event.preventDefault();
    if (!config) return;
    say(wrong, "");
    replace(steps);
    go.disabled = true;
    try {
      if (!(await config.check(true))) {
        over("Nothing was changed: look at what is marked.");
        config.firstWrong?.focus();
        return;
      }
    } catch (error) {
      over(error.message);
      return;
    }
    // The browser lets us ask for a port for a moment after the click only.
    const opened = new Board(told, (why) => over(`${why}: plug it in, and try again.`));
    try {
      await opened.open();
    } catch (error) {
      opened.close();
      over(error.name === "NotFoundError" ? "No board was chosen." : `The board’s port can’t be opened: ${error.message}. Does another program have it?`);
      return;
    }
    board = opened;
    if (flash.checked) await board.intoBootloader();
    board.ask({ flash: flash.checked, fresh: fresh.checked, files: config.files(), ...config.value() });
    config.forgetSecrets();
  }

  const intro = h("p", null, "The board gets the firmware and its configuration, checked as on the command line, and you see its first reading. It needs MicroPython: an ESP32 gets it from here, a Pico by ",
    h("code", null, "fieldpost flash"), ", which says when to hold its BOOTSEL button.");
  const row = (input, text, hint) => h("label", { class: "row" }, input, h("span", null, text, " ", h("small", null, hint)));
  replace(main, h("div", { class: "head" }, h("a", { href: "#/", class: "up" }, "All nodes"), h("h1", null, "Set up a board")),
    canSerial() ? null : h("p", { class: "panel caution" }, "This browser has no Web Serial, by which the page reaches a board: Chrome, Edge or Opera on a computer have it. Here you can make a config.json; on the command line it is ",
      h("code", null, "fieldpost provision --config config.json"), " and ", h("code", null, "fieldpost deploy"), "."),
    h("form", { class: "set-up", novalidate: true, onsubmit: start },
      h("section", { class: "panel" }, h("h2", null, "What it is to be"), place),
      canSerial() ? h("section", { class: "panel" }, h("h2", null, "Bring it to the board"), intro,
        row(flash, "Put MicroPython on it first", "ESP32 family: the right image for its chip. If it does not answer, hold BOOT, press RESET, let go."),
        row(fresh, "Keep nothing of its configuration", "By itself, what this form says nothing of stays as it is on the board, its other networks too."),
        go, wrong, bar, steps) : null));

  get("/api/set-up/form").then((schema) => {
    if (signal.aborted) return;
    config = new ConfigForm(schema);
    replace(place, config.element);
    const line = known.bench?.lines.find((one) => one.line.includes("provision --broker "));
    if (line) config.spread(line.line.split("--broker ")[1]);
  }).catch((error) => replace(place, h("p", { class: "wrong" }, error.message)));
  signal.addEventListener("abort", () => board?.close());
}
