// What a node can be told. The answer comes when the node gives it.

import { h, replace, say } from "./dom.js";
import { clock, now } from "./format.js";
import { get, known, node as nodePath, post } from "./server.js";

const BUTTONS = [
  ["identify", "Identify", "Its light blinks for ten seconds."],
  ["sample", "Sample", "It takes a reading now."],
  ["deliver", "Deliver", "It sends what waits."],
  ["restart", "Restart …", "It starts anew; what waits is kept."],
];

export function commandPanel(name, signal) {
  const asked = new Map();
  const list = h("ul", { class: "asked", "aria-live": "polite" });
  const buttons = BUTTONS.map(([does, text, hint]) => h("button", { type: "button", title: hint, "data-do": does,
    onclick: () => (does === "restart" ? sure.showModal() : send({ do: does }, does)) }, text));
  const sure = h("dialog", { "aria-labelledby": "sure-title" }, h("h2", { id: "sure-title" }, `Restart ${name}?`),
    h("p", null, "It measures nothing for some seconds. What waits in it is kept, and delivered afterwards."),
    h("div", { class: "actions" },
      h("button", { type: "button", autofocus: true, onclick: () => sure.close() }, "Cancel"),
      h("button", { type: "button", class: "strong", onclick: () => { sure.close(); send({ do: "restart", sure: true }, "restart"); } }, "Restart")));

  function draw() {
    replace(list, [...asked.values()].reverse().slice(0, 5).map((one) =>
      h("li", { class: one.state }, h("b", null, one.what), " ", one.text)));
  }

  function waits() {
    const node = known.nodes.get(name);
    if (node?.state === "asleep") return node.due ? `is kept for it until it wakes, about ${clock(node.due)}` : "is kept for it until it wakes";
    return node?.state === "offline" ? "is sent; the node is offline" : "is sent …";
  }

  async function send(told, what) {
    const mine = { what, state: "waits", text: "goes out …" };
    const key = Symbol(what);
    asked.set(key, mine);
    draw();
    try {
      const { id } = await post(`${nodePath(name)}/commands`, told);
      mine.id = id;
      if (mine.state === "waits") mine.text = waits();
      const early = answers.get(id);
      if (early) answered(early);
      draw();
      return null;
    } catch (error) {
      asked.delete(key);
      if (told.do !== "set") {
        asked.set(key, { what, state: "refused", text: `was not sent: ${error.message}` });
      }
      draw();
      return error.message;
    }
  }

  const answers = new Map();

  function answered(event) {
    for (const one of asked.values()) {
      if (one.id !== event.answers) continue;
      one.state = event.ok ? "done" : "refused";
      one.text = event.ok ? `done at ${clock(event.received)}` : `refused by the node: ${event.text}`;
    }
  }

  known.hear("event", (event) => {
    if (event.node !== name || event.kind !== "result" || !event.answers) return;
    answers.set(event.answers, event);
    answered(event);
    draw();
  }, signal);

  return h("section", { class: "panel commands", "aria-labelledby": "commands-title" },
    h("h2", { id: "commands-title" }, "Tell this node"),
    h("div", { class: "buttons" }, buttons), settingForm(send), list, sure);
}

function settingForm(send) {
  const keys = h("datalist", { id: "keys" });
  const about = h("p", { class: "about", id: "about" });
  const wrong = h("p", { class: "wrong", role: "alert", id: "wrong" });
  const key = h("input", { name: "key", list: "keys", autocomplete: "off", spellcheck: "false", "aria-describedby": "about" });
  const value = h("input", { name: "value", autocomplete: "off", spellcheck: "false", "aria-describedby": "about wrong" });
  let settings = [];

  get("/api/settings").then((told) => {
    settings = told.settings;
    replace(keys, settings.map((one) => h("option", { value: one.key })));
  }).catch(() => { about.textContent = "The list of settings could not be read."; });

  key.addEventListener("input", () => {
    const found = settings.find((one) => one.key === key.value.trim());
    say(about, found ? `${found.text} Allowed: ${found.allowed}. Default: ${found.default}.` : "");
    say(wrong, "");
    value.removeAttribute("aria-invalid");
  });

  return h("form", { class: "setting", novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    say(wrong, "");
    value.removeAttribute("aria-invalid");
    const what = `${key.value.trim()} = ${value.value}`;
    const why = await send({ do: "set", key: key.value.trim(), typed: value.value }, what);
    if (why) {
      say(wrong, `Not sent. ${why}`);
      value.setAttribute("aria-invalid", "true");
      value.focus();
    }
  } },
  h("label", null, "Setting", key), h("label", null, "Value", value),
  h("button", { type: "submit", class: "strong" }, "Check and send"), keys, about, wrong);
}
