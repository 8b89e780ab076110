// What one key of a configuration is asked with. A control has an element, the value that is typed
// (undefined: nothing), is filled with one, and shows what is wrong with it.

import { h, say } from "./dom.js";

let count = 0;

// A number where one is typed; anything else stays a text, for the check to say so.
const number = (text) => (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : text);

// By kind: the value of a text that is typed, and the text of a value.
const TYPED = {
  whole: number,
  number,
  address: number,
  prefix: (text) => ({ true: true, false: false })[text] ?? text,
  words: (text) => text.split(/[\s,]+/).filter(Boolean),
};
const SHOWN = {
  words: (value) => (Array.isArray(value) ? value.join(", ") : String(value)),
};

const byItself = (spec) => {
  const shown = spec.default;
  if (shown === null || (Array.isArray(shown) && !shown.length)) return "";
  const option = spec.options?.find((one) => one.value === shown);
  return option ? option.text : (SHOWN[spec.kind] || String)(shown);
};

function hintOf(spec) {
  const parts = [spec.text];
  if (!spec.options && spec.kind !== "board" && spec.kind !== "secret") parts.push(`Allowed: ${spec.allowed}.`);
  return parts.filter(Boolean).join(" ");
}

// About a control: what is wrong, and what may be.
export function remarks(id) {
  const wrong = h("span", { class: "wrong", id: `wrong-${id}` });
  const note = h("span", { class: "caution", id: `note-${id}` });
  return { wrong, note, ids: `wrong-${id} note-${id}` };
}

export class Scalar {
  // changed: called when a person has typed. path: how the check names it, for tests and scripts.
  constructor(spec, path, changed) {
    this.spec = spec;
    this.isTouched = false;
    const id = `f${(count += 1)}`;
    this.told = remarks(id);
    const shared = { id, name: path, autocomplete: "off", "aria-describedby": `hint-${id} ${this.told.ids}`,
      "aria-required": spec.required ? "true" : null };
    const touched = () => { this.isTouched = true; changed(); };
    if (spec.kind === "choice") {
      const none = byItself(spec);
      this.input = h("select", { ...shared, onchange: touched },
        h("option", { value: "" }, spec.required ? "choose …" : none ? `by itself: ${none}` : "by itself"),
        spec.options.map((one, at) => h("option", { value: String(at) }, one.text)));
    } else {
      this.input = h("input", { ...shared, type: spec.kind === "secret" ? "password" : "text", spellcheck: "false",
        autocomplete: spec.kind === "secret" ? "new-password" : "off", placeholder: byItself(spec) || null,
        inputmode: spec.kind === "whole" ? "numeric" : null, list: spec.kind === "board" ? "boards" : null, oninput: touched });
    }
    const head = h("span", { class: "name" }, spec.title, spec.unit ? `, ${spec.unit}` : "", spec.required ? h("em", null, " needed") : null,
      h("code", null, spec.key));
    this.element = h("div", { class: "field" }, h("label", { for: id }, head), this.#withMore(touched),
      h("small", { id: `hint-${id}` }, hintOf(spec)), this.told.wrong, this.told.note);
  }

  #withMore(touched) {
    if (this.spec.may_be_null) {
      this.nothing = h("input", { type: "checkbox", onchange: () => { this.input.disabled = this.nothing.checked; touched(); } });
      return h("span", { class: "with-more" }, this.input, h("label", { class: "row" }, this.nothing, "none"));
    }
    if (this.spec.kind === "file") {
      const choose = h("input", { type: "file", "aria-label": `${this.spec.title}: choose it`, onchange: async () => {
        const [file] = choose.files;
        if (!file) return;
        this.content = new Uint8Array(await file.arrayBuffer());
        this.input.value = file.name.replace(/[^A-Za-z0-9_.-]/g, "_").slice(-40);
        touched();
      } });
      return h("span", { class: "with-more" }, this.input, choose);
    }
    return this.input;
  }

  value() {
    if (this.nothing?.checked) return null;
    const text = this.input.value;
    if (this.spec.kind === "choice") return text === "" ? undefined : this.strange?.[text] ?? this.spec.options[Number(text)].value;
    // An open network has an empty password, which is one.
    if (this.spec.kind === "secret") return text === "" && !this.spec.may_be_empty ? undefined : text;
    const typed = this.spec.kind === "text" ? text : text.trim();
    return typed === "" ? undefined : (TYPED[this.spec.kind] || String)(typed);
  }

  fill(value) {
    this.isTouched = value !== undefined;
    if (this.nothing) {
      this.nothing.checked = value === null;
      this.input.disabled = this.nothing.checked;
    }
    const isEmpty = value === undefined || value === null;
    if (this.spec.kind !== "choice") {
      this.input.value = isEmpty ? "" : typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : (SHOWN[this.spec.kind] || String)(value);
      return;
    }
    const same = (one) => one.value === value || one.text === value;
    const at = isEmpty ? -1 : this.spec.options.findIndex(same);
    this.input.value = at < 0 ? "" : String(at);
    if (isEmpty || at >= 0) return;
    // What no option has stays until another is chosen, with what the check says of it.
    this.strange = { strange: value };
    this.input.append(h("option", { value: "strange" }, String(value)));
    this.input.value = "strange";
  }

  child() {
    return null;
  }

  *all() {
    yield this;
  }

  show(wrong, notes) {
    say(this.told.wrong, wrong.join(" "));
    say(this.told.note, notes.join(" "));
    if (wrong.length) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  focus() {
    for (let one = this.element.parentElement; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    this.input.focus();
  }
}
