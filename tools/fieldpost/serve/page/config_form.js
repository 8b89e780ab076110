// The form of a whole configuration, made from the schema; checked by the server as one types.

import { Scalar } from "./config_fields.js";
import { control, mark } from "./config_groups.js";
import { h, replace, say } from "./dom.js";
import { Failed, post } from "./server.js";

const PAUSE_MS = 400;
const FILE_MAX = 16_384;

export class ConfigForm {
  // schema: as /api/set-up/form tells it.
  constructor(schema) {
    this.isAllTold = false;
    this.number = 0;
    const changed = () => this.#soon();
    const make = (rows, prefix) => new Map(rows.map((one) => [one.key, control(one, prefix + one.key, changed, schema)]));
    this.config = make(schema.config, "");
    this.secrets = make(schema.secrets, "secrets.");
    this.general = h("ul", { class: "wrong general", role: "alert" });
    const at = (path) => this.find(path)[0];
    const basics = schema.basics.map((path) => at(path).element);
    const flat = [...this.config.values()].filter((one) => one instanceof Scalar && !basics.includes(one.element));
    const board = at("board");
    const rest = flat.filter((one) => one !== board);
    const deep = [...this.config.entries()].filter(([key, one]) => !(one instanceof Scalar) && key !== "sensors").map(([, one]) => one);
    this.rest = rest;
    this.restState = h("span", { class: "state" });
    const networks = this.secrets.get("wifi");
    networks.add.textContent = "Add another network";
    this.element = h("div", { class: "config" }, this.#files(), h("datalist", { id: "boards" }, schema.boards.map((one) => h("option", { value: one }))),
      h("div", { class: "grid" }, basics[0], board.element, basics.slice(1)), networks.element, this.config.get("sensors").element,
      h("h3", null, "All else has a value by itself"), this.secrets.get("mqtt").element,
      h("details", { class: "group" }, h("summary", null, h("span", { class: "title" }, "How the node works"), " ", this.restState), h("div", { class: "grid" }, rest.map((one) => one.element))),
      deep.map((one) => one.element), this.general);
    at("mqtt.host").input.addEventListener("change", () => this.spread(at("mqtt.host").input.value));
  }

  // To a broker's URL belong several keys.
  spread(text) {
    if (!/^mqtts?:\/\//.test(text)) return;
    let url;
    try {
      url = new URL(text.replace(/^mqtt/, "http"));
    } catch {
      return;
    }
    const at = (path) => this.find(path)[0];
    at("mqtt.host").fill(url.hostname);
    at("mqtt.port").fill(url.port || undefined);
    if (url.protocol === "https:") at("mqtt.tls").fill({});
    if (url.username) at("secrets.mqtt.user").fill(decodeURIComponent(url.username));
    if (url.password) at("secrets.mqtt.password").fill(decodeURIComponent(url.password));
    this.#soon();
  }

  // The control for a key as the check names it, or that around it, and what is left of the key.
  find(at) {
    const parts = at.match(/[^.[\]]+/g) || [];
    const isSecret = parts[0] === "secrets";
    let found = (isSecret ? this.secrets : this.config).get(parts[isSecret ? 1 : 0]) || null;
    let used = isSecret ? 2 : 1;
    while (found && used < parts.length) {
      const next = found.child(/^\d+$/.test(parts[used]) ? Number(parts[used]) : parts[used]);
      if (!next) break;
      found = next;
      used += 1;
    }
    return [found, parts.slice(used).join(".")];
  }

  *all() {
    for (const one of [...this.config.values(), ...this.secrets.values()]) yield* one.all();
  }

  value() {
    const read = (controls) => {
      const found = {};
      for (const [key, one] of controls) {
        const value = one.value();
        if (value !== undefined) found[key] = value;
      }
      return found;
    };
    return { config: read(this.config), secrets: read(this.secrets) };
  }

  // Files that are chosen, by the names that the configuration has for them.
  files() {
    const found = {};
    for (const one of this.all()) {
      if (one.content && one.value()) found[one.value()] = btoa(String.fromCharCode(...one.content));
    }
    return found;
  }

  fill(config) {
    for (const [key, one] of this.config) one.fill(config[key]);
  }

  forgetSecrets() {
    for (const one of this.all()) if (one.spec?.kind === "secret") one.fill(undefined);
  }

  #soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check().catch((error) => this.#tell([error.message])), PAUSE_MS);
  }

  // Whether nothing is wrong. tellsAll: what nobody has typed yet is told of, too.
  async check(tellsAll = false) {
    clearTimeout(this.timer);
    this.isAllTold ||= tellsAll;
    const number = (this.number += 1);
    const judged = await post("/api/set-up/check", this.value());
    // Of two that are asked the later one counts.
    if (number !== this.number) return this.check(tellsAll);
    const [wrong, notes, others] = [new Map(), new Map(), []];
    for (const [remarks, where] of [[judged.errors, wrong], [judged.notes, notes]]) {
      for (const one of remarks) {
        const [found, left] = one.at ? this.find(one.at) : [null, ""];
        const text = left ? `${left}: ${one.text}` : one.text;
        if (found) where.set(found, [...(where.get(found) || []), text]);
        else others.push(one.at ? `${one.at}: ${one.text}` : one.text);
      }
    }
    const large = [...this.all()].filter((one) => one.content?.length > FILE_MAX);
    for (const one of large) wrong.set(one, ["that is too large for a certificate"]);
    const controls = [...this.all()];
    for (const one of controls) one.show(this.isAllTold || one.isTouched ? wrong.get(one) || [] : [], notes.get(one) || []);
    for (const one of controls) one.mark?.();
    mark(this.restState, this.rest);
    this.#tell(others);
    // As one reads, which is not the order of the schema.
    [this.firstWrong = null] = [...wrong.keys()].sort((one, other) =>
      one.element.compareDocumentPosition(other.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1);
    return !wrong.size && !others.length;
  }

  #tell(texts) {
    replace(this.general, texts.map((one) => h("li", null, one)));
  }

  #files() {
    const told = h("p", { class: "told", role: "status" });
    const choose = h("input", { type: "file", accept: ".json,application/json", id: "load", class: "away", onchange: async () => {
      const [file] = choose.files;
      if (file) await this.#load(await file.text(), file.name, told);
      choose.value = "";
    } });
    const button = h("label", { for: "load", class: "button" }, "Load a config.json …");
    const save = h("button", { type: "button", "data-do": "download", onclick: async () => {
      try {
        const { text } = await post("/api/set-up/file", { config: this.value().config });
        download(new Blob([text], { type: "application/json" }), "config.json");
        say(told, "config.json was downloaded: it has no password. Those stay in this form until you leave it.");
      } catch (error) {
        say(told, error instanceof Failed ? "It is not downloaded yet: look at what is marked." : error.message);
        await this.check(true).catch(() => {});
      }
    } }, "Download it as config.json");
    return h("div", { class: "files" }, h("div", { class: "buttons" }, choose, button, save), told);
  }

  async #load(text, name, told) {
    try {
      const { config, left_out } = await post("/api/set-up/load", { text });
      this.fill(config);
      say(told, [`${name} is in the form.`, ...(left_out.length ? ["Left out:", ...left_out] : [])].join(" "));
      this.isAllTold = false;
      await this.check();
    } catch (error) {
      say(told, `${name} was not loaded: ${error.message}`);
    }
  }
}

// To the browser's own folder for downloads.
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
