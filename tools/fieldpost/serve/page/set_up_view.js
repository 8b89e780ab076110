// A board set up from here: which port, what it is to be, and its first reading.

import { ConfigForm } from "./config_form.js";
import { h, replace } from "./dom.js";
import { picoPanel } from "./pico_panel.js";
import { Progress } from "./progress.js";
import { get, known } from "./server.js";
import { Board, canSerial } from "./serial.js";

const GONE = "The board’s port has gone. Plug the board in again. If it is plugged in, it has come back as another port, as an ESP32-S2 or S3 does that has just got MicroPython: choose that one.";

const NO_WAY = " If the network, its password or the broker is not right, mend that above and set it up again.";

export function setUpView(main, signal) {
  const progress = new Progress();
  const fresh = h("input", { type: "checkbox", name: "fresh" });
  const go = h("button", { type: "submit", class: "strong" }, "Choose the board and set it up");
  const again = h("button", { type: "button", hidden: true, "data-do": "again", onclick: chooseAgain }, "Choose the board again");
  const place = h("div", null, h("p", { class: "empty" }, "Reading what a node can be told …"));
  let board = null;
  let config = null;

  function told(one) {
    if (one.kind === "reset") board?.restart();
    else if (one.kind === "failed") over(one.text);
    else if (one.kind === "done") {
      if (!one.reading) progress.step("It is ready, and has not measured yet.");
      else {
        progress.step(`First reading: ${one.reading}`, "done");
        if (!one.waits) progress.step("It was delivered to the broker.", "done");
        else progress.step(`The node keeps it: ${one.waits}. It goes on trying.${one.is_held_up ? NO_WAY : ""}`, one.is_held_up ? "refused" : null);
      }
      for (const lack of one.lacks) progress.step(lack, "refused");
      progress.add(h("a", { href: `#/node/${encodeURIComponent(one.node)}` }, `See ${one.node}`));
      over("");
    } else progress.told(one);
  }

  // The server hears nothing more then, which is not what is wrong.
  function away(isAway) {
    again.hidden = !isAway;
    progress.say(isAway ? GONE : "");
  }

  async function chooseAgain() {
    await board?.chooseAgain().catch(() => {});
  }

  function over(text) {
    progress.over(text && !again.hidden ? `${GONE} ${text}` : text);
    again.hidden = true;
    go.disabled = false;
    // A button that can't be pressed has lost it.
    if (document.activeElement === document.body) go.focus({ preventScroll: true });
    board?.close();
    board = null;
  }

  async function start(event) {
    event.preventDefault();
    if (!config) return;
    progress.begin();
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
    const opened = new Board({ told, away, lost: (why) => over(`${why}.`) });
    try {
      await opened.open();
    } catch (error) {
      opened.close();
      over(error.name === "NotFoundError" ? "No board was chosen." : `The board’s port can’t be opened (${error.message.replace(/\.$/, "")}). Only one at a time can have it: close the other program, or the other tab, that has it, and try again.`);
      return;
    }
    board = opened;
    const flash = has() === "esp";
    if (flash) await board.intoBootloader();
    board.ask({ flash, fresh: fresh.checked, files: config.files(), ...config.value() });
    config.forgetSecrets();
  }

  const pico = h("div", { hidden: true });
  const runs = h("fieldset", { class: "choices" }, h("legend", { class: "away" }, "Has the board MicroPython?"),
    [["yes", "It has MicroPython", "The Python that Fieldpost runs in. A board that was set up before has it, too."],
      ["esp", "A new ESP32, S2, S3, C3 or C6", "It gets MicroPython for its chip first, by the same cable."],
      ["pico", "A new Pico W or Pico 2 W", "It gets MicroPython first, as a file on the drive that it shows itself as."],
    ].filter(([name]) => canSerial() || name !== "esp").map(([name, text, hint]) => h("label", { class: "row" },
      h("input", { type: "radio", name: "micropython", value: name, checked: name === "yes", onchange: turn }), h("span", null, text, " ", h("small", null, hint)))));
  const has = () => runs.querySelector("input:checked").value;

  function turn() {
    pico.hidden = has() !== "pico";
    if (!pico.hidden && !pico.childElementCount) replace(pico, picoPanel(signal));
  }

  replace(main, h("div", { class: "head" }, h("a", { href: "#/", class: "up" }, "All nodes"), h("h1", null, "Set up a board")),
    canSerial() ? null : h("p", { class: "panel caution" }, "This browser has no Web Serial, by which the page reaches a board: Chrome, Edge or Opera on a computer have it. Here you can make a config.json; on the command line it is ",
      h("code", null, "fieldpost provision --config config.json"), " and ", h("code", null, "fieldpost deploy"), "."),
    h("form", { class: "set-up", novalidate: true, onsubmit: start },
      h("section", { class: "panel" }, h("h2", null, "The board"), runs, pico),
      h("section", { class: "panel" }, h("h2", null, "What it is to be"), place),
      canSerial() ? h("section", { class: "panel bring" }, h("h2", null, "Bring it to the board"),
        h("p", null, "The board gets the firmware and its configuration, and you see its first reading."),
        h("label", { class: "row" }, fresh, h("span", null, "Keep nothing of its configuration ",
          h("small", null, "By itself, what this form says nothing of stays as it is on the board, its other networks too."))),
        go, again, progress.elements) : null));

  get("/api/set-up/form").then((schema) => {
    if (signal.aborted) return;
    config = new ConfigForm(schema);
    replace(place, config.element);
    const line = known.bench?.lines.find((one) => one.line.includes("provision --broker "));
    if (line) config.spread(line.line.split("--broker ")[1]);
  }).catch((error) => replace(place, h("p", { class: "wrong" }, error.message)));
  // A board that is left in the middle is not lost, but has to be set up again.
  const stays = (event) => board && event.preventDefault();
  addEventListener("beforeunload", stays);
  signal.addEventListener("abort", () => {
    removeEventListener("beforeunload", stays);
    board?.close();
  });
}
