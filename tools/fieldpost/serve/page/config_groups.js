// Objects and lists of a configuration: controls that are made of others.

import { Scalar, remarks } from "./config_fields.js";
import { h, replace, say } from "./dom.js";

let count = 0;

export function control(spec, path, changed, types) {
  if (spec.kind === "section") return new Section(spec, path, changed);
  if (spec.kind === "list") return new List(spec, path, changed);
  if (spec.kind === "sensors") return new Sensors(spec, path, changed, types);
  return new Scalar(spec, path, changed);
}

// That something in a group is wrong, or set, can be seen while it is folded, too.
export function mark(state, controls) {
  const wrong = controls.filter((one) => one.told.wrong.textContent).length;
  const set = controls.filter((one) => one instanceof Scalar && one.value() !== undefined && one.value() !== "").length;
  say(state, wrong ? `${wrong} to mend` : set ? `${set} filled in` : "");
  state.classList.toggle("wrong", wrong > 0);
}

class Group {
  constructor() {
    this.told = remarks(`g${(count += 1)}`);
    this.isTouched = true;
  }

  *all() {
    yield this;
    for (const one of this.inside()) yield* one.all();
  }

  show(wrong, notes) {
    say(this.told.wrong, wrong.join(" "));
    say(this.told.note, notes.join(" "));
  }

  mark() {
    if (this.state) mark(this.state, [...this.all()]);
  }

  focus() {
    const first = [...this.all()].find((one) => one instanceof Scalar);
    if (first) first.focus();
    else this.element.querySelector("button")?.focus();
  }
}

// An object with its keys. An optional one is there if its box is ticked.
export class Section extends Group {
  constructor(spec, path, changed) {
    super();
    this.spec = spec;
    this.controls = new Map(spec.rows.map((one) => [one.key, control(one, `${path}.${one.key}`, changed)]));
    this.state = h("span", { class: "state" });
    const flat = [...this.controls.values()].filter((one) => one instanceof Scalar);
    const deep = [...this.controls.values()].filter((one) => !(one instanceof Scalar));
    const grid = h("div", { class: "grid" }, flat.map((one) => one.element));
    this.body = h("div", null, grid, deep.map((one) => one.element));
    if (spec.optional) {
      this.ticked = h("input", { type: "checkbox", name: path, onchange: () => { this.body.hidden = !this.ticked.checked; changed(); } });
      this.body.hidden = true;
    }
    const box = this.ticked ? h("label", { class: "row" }, this.ticked, h("span", null, "Use this")) : null;
    this.element = h("details", { class: "group" },
      h("summary", null, h("span", { class: "title" }, spec.title), " ", h("code", null, spec.key), " ", this.state),
      h("p", null, spec.text), box, this.told.wrong, this.told.note, this.body);
  }

  inside() {
    return this.ticked && !this.ticked.checked ? [] : this.controls.values();
  }

  child(key) {
    return this.controls.get(key) || null;
  }

  value() {
    if (this.ticked && !this.ticked.checked) return undefined;
    const found = {};
    for (const [key, one] of this.controls) {
      const value = one.value();
      if (value !== undefined) found[key] = value;
    }
    return this.ticked || Object.keys(found).length ? found : undefined;
  }

  fill(value) {
    if (this.ticked) {
      this.ticked.checked = Boolean(value);
      this.body.hidden = !value;
    }
    for (const [key, one] of this.controls) one.fill(value?.[key]);
  }
}

// Objects with the same keys, one after the other.
export class List extends Group {
  constructor(spec, path, changed) {
    super();
    this.spec = spec;
    this.path = path;
    this.changed = changed;
    this.items = [];
    this.rows = h("div", { class: "items" });
    this.add = h("button", { type: "button", onclick: () => {
      this.append({});
      changed();
      this.items.at(-1).focus();
    } }, this.addText());
    this.element = h("fieldset", { class: "list" }, h("legend", null, spec.title, " ", h("code", null, spec.key)),
      h("p", { class: "hint" }, spec.text), this.rows, this.add, this.told.wrong, this.told.note);
    this.fill(undefined);
  }

  addText() {
    return `Add to ${this.spec.title.toLowerCase()}`;
  }

  inside() {
    return this.items;
  }

  child(at) {
    return this.items[at] || null;
  }

  value() {
    const found = this.items.map((one) => one.value());
    return found.length ? found : this.given;
  }

  fill(value) {
    // An empty list that a file has is not the same as none.
    this.given = Array.isArray(value) && !value.length ? [] : undefined;
    this.items = [];
    replace(this.rows);
    const wanted = Array.isArray(value) ? value : [];
    for (const one of wanted) this.append(one);
    while (this.items.length < this.spec.fewest) this.append(undefined);
    this.draw();
  }

  append(value) {
    const item = this.make(`${this.path}[${this.items.length}]`);
    if (value !== undefined) item.fill(value);
    this.items.push(item);
    this.rows.append(item.element);
    this.draw();
  }

  make(path) {
    return new Item(this.spec.rows, path, this.changed, () => this.remove(path));
  }

  // The others get their new numbers, and keep what was typed.
  remove(path) {
    const at = Number(path.match(/\[(\d+)\]$/)[1]);
    const left = this.items.map((one) => one.value()).filter((_, number) => number !== at);
    const touched = this.items.filter((_, number) => number !== at);
    this.fill(left.length ? left : undefined);
    touched.forEach((old, number) => {
      const before = [...old.all()];
      [...this.items[number].all()].forEach((one, index) => { one.isTouched = before[index]?.isTouched ?? true; });
    });
    this.changed();
    this.add.focus();
  }

  draw() {
    this.add.hidden = this.items.length >= this.spec.most;
    for (const one of this.items) one.away.hidden = this.items.length <= this.spec.fewest;
  }
}

class Item extends Group {
  constructor(rows, path, changed, remove) {
    super();
    this.controls = new Map(rows.map((one) => [one.key, control(one, `${path}.${one.key}`, changed)]));
    this.away = h("button", { type: "button", class: "quiet", "data-remove": path, "aria-label": `Remove ${path}`, onclick: remove }, "Remove");
    this.element = h("div", { class: "item" }, h("div", { class: "grid" }, [...this.controls.values()].map((one) => one.element)),
      this.told.wrong, this.told.note, this.away);
  }

  inside() {
    return this.controls.values();
  }

  child(key) {
    return this.controls.get(key) || null;
  }

  value() {
    const found = {};
    for (const [key, one] of this.controls) {
      const value = one.value();
      if (value !== undefined) found[key] = value;
    }
    return found;
  }

  fill(value) {
    for (const [key, one] of this.controls) one.fill(value?.[key]);
  }
}

// The sensors: what a sensor may say depends on its type.
export class Sensors extends List {
  constructor(spec, path, changed, types) {
    super(spec, path, changed);
    this.types = types;
    this.add.classList.add("add-sensor");
    this.none = h("p", { class: "hint" });
    this.rows.after(this.none);
    this.draw();
  }

  addText() {
    return "Add a sensor";
  }

  make(path) {
    return new Sensor(this.types, path, this.changed, () => this.remove(path));
  }

  draw() {
    super.draw();
    if (this.none) say(this.none, this.items.length ? "" : this.given ? "No sensor at all, as the file says." : "");
  }
}

class Sensor extends Group {
  constructor(types, path, changed, remove) {
    super();
    this.types = types;
    this.path = path;
    this.changed = changed;
    this.controls = new Map();
    const options = types.types.map((one) => ({ value: one.name, text: one.name }));
    this.type = new Scalar({ key: "type", title: "Type", kind: "choice", required: true, default: null, options,
      text: "What it is; what else it can say depends on it." }, `${path}.type`, () => { this.turn(this.value()); changed(); });
    this.about = h("p", { class: "hint" });
    this.own = h("div", { class: "grid" });
    this.deep = h("div");
    this.more = h("div", { class: "grid" });
    this.moreDeep = h("div");
    this.state = h("span", { class: "state" });
    this.folded = h("details", { class: "group" }, h("summary", null, "More of this sensor ", this.state), this.more, this.moreDeep);
    this.away = h("button", { type: "button", class: "quiet", "data-remove": path, "aria-label": `Remove ${path}`, onclick: remove }, "Remove");
    this.element = h("div", { class: "item" }, h("div", { class: "grid" }, this.type.element, this.about), this.own, this.deep, this.folded,
      this.told.wrong, this.told.note, this.away);
    this.turn({});
  }

  // To another type; what both have stays.
  turn(value) {
    const type = this.types.types.find((one) => one.name === value?.type);
    const touched = new Map([...this.controls].map(([key, one]) => [key, one.isTouched]));
    this.controls = new Map();
    say(this.about, type ? type.text : "");
    this.folded.hidden = !type;
    for (const [rows, flat, deep] of [[type?.rows || [], this.own, this.deep], [type ? this.types.every : [], this.more, this.moreDeep]]) {
      replace(flat);
      replace(deep);
      for (const spec of rows) {
        const one = control(spec, `${this.path}.${spec.key}`, this.changed);
        one.fill(value?.[spec.key]);
        one.isTouched ||= touched.get(spec.key) || false;
        this.controls.set(spec.key, one);
        (one instanceof Scalar ? flat : deep).append(one.element);
      }
    }
  }

  inside() {
    return [this.type, ...this.controls.values()];
  }

  child(key) {
    return key === "type" ? this.type : this.controls.get(key) || null;
  }

  value() {
    const found = {};
    for (const [key, one] of [["type", this.type], ...this.controls]) {
      const value = one.value();
      if (value !== undefined) found[key] = value;
    }
    return found;
  }

  fill(value) {
    this.type.fill(value?.type);
    this.turn(value);
  }

  mark() {
    mark(this.state, [...this.controls.values()].filter((one) => this.folded.contains(one.element)).flatMap((one) => [...one.all()]));
  }
}
