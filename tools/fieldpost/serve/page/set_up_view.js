// A board set up from here: which port, what it is to be, and its first reading.

import { h, replace, say } from "./dom.js";
import { known, post } from "./server.js";
import { Board, canSerial } from "./serial.js";

const QUESTIONS = [
  ["node", "Name of the node", "text", "lower-case letters, digits, _ and -"],
  ["ssid", "Wi-Fi network", "text", "as the access point announces it"],
  ["password", "Its password", "password", "stays between this page, this computer and the board; empty for an open network"],
  ["broker", "Broker", "text", "mqtt://host, as the board reaches it: not 127.0.0.1"],
];

export function setUpView(main, signal) {
  const fields = new Map();
  const steps = h("ol", { class: "steps", "aria-live": "polite" });
  const bar = h("progress", { hidden: true, "aria-label": "How far this step is" });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const flash = h("input", { type: "checkbox", name: "flash" });
  const go = h("button", { type: "submit", class: "strong" }, "Choose the board and set it up");
  let board = null;

  function question([name, text, type, hint]) {
    const input = h("input", { name, type, autocomplete: "off", spellcheck: "false", "aria-describedby": `hint-${name} wrong-${name}`,
      oninput: () => soon(name) });
    const told = h("span", { class: "wrong", id: `wrong-${name}` });
    fields.set(name, { input, told });
    return h("label", null, text, input, h("small", { id: `hint-${name}` }, hint), told);
  }

  // While one types, and not as one leaves the field: what is told would move the button away from
  // under the click.
  const timers = new Map();
  function soon(name) {
    clearTimeout(timers.get(name));
    timers.set(name, setTimeout(() => check(name), 400));
  }

  async function check(name) {
    clearTimeout(timers.get(name));
    const { input, told } = fields.get(name);
    try {
      const { error } = await post("/api/set-up/check", { name, value: input.value });
      say(told, error || "");
      if (error) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      return !error;
    } catch (error) {
      say(wrong, error.message);
      return false;
    }
  }

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
    say(wrong, "");
    replace(steps);
    const names = [...fields.keys()];
    // The browser lets us ask for a port for a moment after the click only.
    const opened = new Board(told, (why) => over(`${why}: plug it in, and try again.`));
    go.disabled = true;
    try {
      await opened.open();
    } catch (error) {
      opened.close();
      over(error.name === "NotFoundError" ? "No board was chosen." : `The board’s port can’t be opened: ${error.message}. Does another program have it?`);
      return;
    }
    board = opened;
    const right = await Promise.all(names.map(check));
    if (right.includes(false)) {
      over("Nothing was changed: look at what is marked.");
      fields.get(names[right.indexOf(false)]).input.focus();
      return;
    }
    if (flash.checked) await board.intoBootloader();
    board.ask({ flash: flash.checked, ...Object.fromEntries(names.map((name) => [name, fields.get(name).input.value])) });
    fields.get("password").input.value = "";
  }

  const intro = h("p", null, "The board gets the firmware and its configuration, checked as on the command line, and you see its first reading. It needs MicroPython: an ESP32 gets it from here, a Pico by ",
    h("code", null, "fieldpost flash"), ", which says when to hold its BOOTSEL button.");
  const first = h("label", { class: "row" }, flash, h("span", null, "Put MicroPython on it first ",
    h("small", null, "ESP32 family: the right image for its chip. If it does not answer, hold BOOT, press RESET, let go.")));
  replace(main, h("div", { class: "head" }, h("a", { href: "#/", class: "up" }, "All nodes"), h("h1", null, "Set up a board")),
    h("section", { class: "panel" }, intro, canSerial()
      ? h("form", { class: "set-up", novalidate: true, onsubmit: start }, QUESTIONS.map(question), first, go, wrong, bar, steps)
      : h("p", { class: "empty" }, "This browser has no Web Serial: Chrome, Edge or Opera on a computer have. On the command line it is ",
        h("code", null, "fieldpost provision"), " and ", h("code", null, "fieldpost deploy"), ".")));
  const line = known.bench?.lines.find((one) => one.line.includes("provision --broker "));
  if (line && fields.has("broker")) fields.get("broker").input.value = line.line.split("--broker ")[1];
  signal.addEventListener("abort", () => board?.close());
}
