// The curves of a view: a chart for each field, all over the same stretch of time.

import { Chart, dash } from "./chart.js";
import { h, replace, say } from "./dom.js";
import { clock, counted, duration, number, title, withUnit } from "./format.js";
import { colours } from "./palette.js";
import { SPANS } from "./range.js";
import { get, known, node as nodePath } from "./server.js";
import { drawTable } from "./table.js";

const POINTS = 700;
const WAIT_MS = 350;
const WAIT_LONG_MS = 4000;
const LONG_S = 86400;

// names: of nodes. Gives the element; it lives until `signal`.
export function curves(names, range, signal) {
  const body = h("div", { class: "curves" });
  const note = h("p", { class: "note", role: "status" });
  const shown = new Map();
  let isDue = false;
  let runs = 0;

  function fields() {
    const found = new Map();
    for (const name of names) {
      for (const one of known.nodes.get(name)?.fields || []) {
        if (one.is_number) found.set(one.name, [...(found.get(one.name) || []), name]);
      }
    }
    // What people look at first, the supply last.
    return [...found].sort(([a], [b]) => a.endsWith("supply_mv") - b.endsWith("supply_mv") || (a < b ? -1 : 1));
  }

  function figure(field) {
    const readout = h("output", { class: "readout", "aria-live": "off" });
    const place = h("div", { class: "plot" });
    const table = h("div", { class: "wide", hidden: true });
    const button = h("button", { type: "button", class: "quiet", "aria-expanded": "false", onclick: () => {
      table.hidden = !table.hidden;
      button.setAttribute("aria-expanded", String(!table.hidden));
      if (!table.hidden) drawTable(table, field, one.sets, one.gaps);
    } }, "Table");
    const area = h("div", { class: "area", tabindex: "0", role: "group",
      "aria-label": `Curve of ${title(field)}. Arrow keys: readings; Shift and arrow keys: time; plus and minus: zoom; Escape: back.` }, place);
    const element = h("figure", { "data-field": field },
      h("figcaption", null, h("h3", null, title(field)), readout, h("span", { class: "spring" }), button), area, table);
    const one = { element, readout, table, sets: [], gaps: [], latest: "" };
    one.chart = new Chart(place, range, (text) => say(readout, text ?? one.latest), "view");
    area.addEventListener("keydown", (event) => byKey(event, one, readout));
    return one;
  }

  function byKey(event, one, readout) {
    const does = {
      ArrowLeft: () => (event.shiftKey ? range.pan(-0.25) : one.chart.step(-1)),
      ArrowRight: () => (event.shiftKey ? range.pan(0.25) : one.chart.step(1)),
      "+": () => range.zoom(0.5), "=": () => range.zoom(0.5), "-": () => range.zoom(2),
      Escape: () => range.back(),
    }[event.key];
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    readout.setAttribute("aria-live", "polite");
    does();
  }

  async function load() {
    const run = (runs += 1);
    const wanted = fields();
    for (const [field] of wanted) {
      if (!shown.has(field)) shown.set(field, figure(field));
    }
    for (const [field, one] of shown) {
      if (!wanted.some(([name]) => name === field)) {
        one.chart.close();
        one.element.remove();
        shown.delete(field);
      }
    }
    wanted.forEach(([field], at) => {
      const { element } = shown.get(field);
      if (body.children[at] !== element) body.insertBefore(element, body.children[at] || null);
    });
    const [begin, end] = range.get();
    const query = { begin: Math.max(0, begin), end, points: POINTS };
    // The first curve has the store to itself: a person sees it sooner than all of them together.
    const [first, ...others] = wanted;
    const bring = async ([field, of]) => {
      const one = shown.get(field);
      try {
        const sets = await Promise.all(of.map(async (name) => ({
          name, curve: await get(`${nodePath(name)}/curve`, { ...query, field }),
        })));
        if (run === runs && !signal.aborted) draw(one, field, sets, one.gaps);
      } catch (error) {
        // That of another field may still be there.
        say(one.readout, error.message);
      }
    };
    try {
      if (first) await bring(first);
      const [told] = await Promise.all([
        Promise.all(names.map((name) => get(`${nodePath(name)}/gaps`, { begin: query.begin, end }))),
        ...others.map(bring),
      ]);
      if (run !== runs || signal.aborted) return;
      const gaps = told.flatMap((one) => one.gaps);
      for (const [field, one] of shown) draw(one, field, one.sets, gaps);
      tellCount(gaps);
    } catch (error) {
      say(note, `The curves could not be read: ${error.message}.`);
    }
  }

  function draw(one, field, sets, gaps) {
    one.sets = sets;
    one.gaps = gaps;
    one.latest = latest(sets);
    say(one.readout, one.latest);
    const overdue = names.length === 1 && range.isLive ? known.nodes.get(names[0]) : null;
    one.chart.show(sets, gaps, overdue?.is_late ? overdue.due : null);
    if (!one.table.hidden) drawTable(one.table, field, sets, gaps);
    one.element.dataset.points = sets.reduce((sum, set) => sum + set.curve.t.length, 0);
    one.element.dataset.late = sets.reduce((sum, set) => sum + set.curve.late.reduce((a, b) => a + b, 0), 0);
  }

  function tellCount(gaps) {
    let count = 0;
    let late = 0;
    const one = [...shown.values()][0];
    for (const set of one?.sets || []) {
      count += set.curve.count;
      late += set.curve.late.reduce((sum, is) => sum + is, 0);
    }
    const missing = gaps.reduce((sum, gap) => sum + gap.last - gap.first + 1, 0);
    const parts = [counted(count, "reading")];
    if (late) parts.push(`${number(late)} came late`);
    if (missing) parts.push(`${number(missing)} missing`);
    say(note, shown.size ? (count ? parts.join(", ") : "No readings in this stretch of time.") : "No field with numbers has been measured yet.");
  }

  function later() {
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      if (!signal.aborted) load();
    }, range.span > LONG_S ? WAIT_LONG_MS : WAIT_MS);
  }

  range.addEventListener("change", () => {
    for (const one of shown.values()) one.chart.follow();
    load();
  }, { signal });
  known.hear("readings", (told) => {
    const [begin, end] = range.get();
    if (names.some((name) => told[name] && told[name].begin <= end && told[name].end >= begin)) later();
  }, signal);
  known.hear("nodes", (changed) => {
    if (names.some((name) => changed.includes(name)) && fields().some(([field]) => !shown.has(field))) later();
  }, signal);
  known.hear("again", later, signal);
  known.hear("theme", () => shown.forEach((one) => one.chart.recolour()), signal);
  const timer = setInterval(() => {
    if (!range.isLive || document.hidden) return;
    for (const one of shown.values()) {
      const late = names.length === 1 ? known.nodes.get(names[0]) : null;
      one.chart.overdue = late?.is_late ? late.due : null;
      one.chart.follow();
    }
  }, 1000);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    for (const one of shown.values()) one.chart.close();
  });
  load();
  return h("section", { class: "panel", "aria-labelledby": "curves-title" }, h("h2", { class: "away", id: "curves-title" }, "Curves"), rangeBar(names, range, signal), note, names.length > 1 ? legend(names) : null, body, key());
}

function latest(sets) {
  const parts = sets.map(({ name, curve }) => {
    const at = curve.value.findLastIndex((value) => typeof value === "number");
    if (at < 0) return null;
    const text = withUnit(curve.value[at], curve.unit);
    return sets.length > 1 ? `${name} ${text}` : `${text} · ${clock(curve.t[at])}`;
  });
  return parts.filter(Boolean).join(", ");
}

function rangeBar(names, range, signal) {
  const state = h("span", { class: "state", role: "status" });
  const buttons = SPANS.map(([span, text]) => h("button", { type: "button", "data-span": span,
    onclick: () => range.live(span) }, text));
  const all = h("button", { type: "button", onclick: async () => {
    const told = await Promise.all(names.map((name) => get(`${nodePath(name)}/extent`))).catch(() => []);
    const found = told.filter((one) => one.begin !== null);
    if (found.length) range.all(Math.min(...found.map((one) => one.begin)), Math.max(...found.map((one) => one.end)));
  } }, "All");
  const back = h("button", { type: "button", onclick: () => range.back() }, "Back");
  const tell = () => {
    buttons.forEach((one) => one.setAttribute("aria-pressed", String(range.isLive && Number(one.dataset.span) === range.span)));
    back.disabled = range.isLive && !range.kept.length;
    const [begin, end] = range.get();
    say(state, range.isLive ? `live, the last ${duration(range.span)}` : `${clock(begin)} to ${clock(end)}`);
  };
  range.addEventListener("change", tell, { signal });
  tell();
  return h("div", { class: "ranges", role: "group", "aria-label": "Stretch of time" }, buttons, all, back, state);
}

function legend(names) {
  const paint = colours();
  return h("ul", { class: "legend" }, names.map((name, at) => {
    const line = h("canvas", { width: 56, height: 12, "aria-hidden": "true" });
    const ctx = line.getContext("2d");
    ctx.strokeStyle = paint.series[at % paint.series.length];
    ctx.lineWidth = 4;
    ctx.setLineDash(dash(at).map((one) => one * 1.6));
    ctx.beginPath();
    ctx.moveTo(0, 6);
    ctx.lineTo(56, 6);
    ctx.stroke();
    return h("li", null, line, h("a", { href: `#/node/${encodeURIComponent(name)}` }, name));
  }));
}

function key() {
  const sample = (kind) => h("span", { class: `sample ${kind}`, "aria-hidden": "true" });
  return h("details", { class: "key" }, h("summary", null, "What is drawn how"), h("ul", null,
    h("li", null, sample("late"), "A hollow triangle: this reading came late, and stands at the time at which it was taken."),
    h("li", null, sample("guessed"), "A hollow diamond: the node did not know the time; it is reckoned from the reading’s age."),
    h("li", null, sample("missing"), "Hatched upwards: readings were taken here and are not in the store. The number stands in it."),
    h("li", null, sample("overdue"), "Hatched downwards: the node is overdue. What it measures may come yet."),
    h("li", null, sample("band"), "A pale band: of many readings the least and the most, the line is their mean."),
    h("li", null, "No line: nothing was taken here, so nothing is missing."),
    h("li", null, "Drag over a stretch to look into it. With the keyboard: arrow keys, Shift with them, plus, minus, Escape.")));
}
