// One curve, drawn by uPlot: lines, what came late, what is missing.

import { colours } from "./palette.js";
import { clock, counted, withUnit } from "./format.js";

const HEIGHT = 200;
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [1, 4], [14, 4], [6, 2, 1, 2]];
const MARKED_MAX = 400;

export const dash = (at) => DASHES[at % DASHES.length];

export class Chart {
  // range: shared. told: called with what stands at the cursor, as text.
  constructor(place, range, told, syncKey) {
    this.place = place;
    this.range = range;
    this.told = told;
    this.syncKey = syncKey;
    this.plot = null;
    this.sets = [];
    this.gaps = [];
    this.overdue = null;
    this.shape = "";
    this.sizes = new ResizeObserver(() => {
      if (this.plot && place.clientWidth) this.plot.setSize({ width: place.clientWidth, height: HEIGHT });
    });
    this.sizes.observe(place);
  }

  close() {
    this.sizes.disconnect();
    if (this.plot) this.plot.destroy();
    this.plot = null;
  }

  // sets: [{name, curve}] as the server gives curves. overdue: since when a node is late, or null.
  show(sets, gaps, overdue) {
    this.sets = sets;
    this.gaps = gaps;
    this.overdue = overdue;
    const data = joined(sets);
    const shape = sets.map((one) => `${one.name}/${one.curve.is_single}`).join("|");
    if (!this.plot || shape !== this.shape) {
      if (this.plot) this.plot.destroy();
      this.shape = shape;
      this.plot = new uPlot(this.#options(), data, this.place);
    } else {
      this.plot.setData(data, false);
      this.follow();
    }
  }

  // The time goes on, or another stretch of it is wanted.
  follow() {
    if (!this.plot) return;
    const [min, max] = this.range.get();
    this.plot.setScale("x", { min, max });
  }

  recolour() {
    this.shape = "";
    if (this.plot) this.show(this.sets, this.gaps, this.overdue);
  }

  // To the next or the last reading but one, by the keyboard.
  step(by) {
    const times = this.plot?.data[0] || [];
    if (!times.length) return;
    const at = this.plot.cursor.idx;
    let next = at === null || at === undefined ? times.length - 1 : at + by;
    next = Math.min(times.length - 1, Math.max(0, next));
    while (next > 0 && next < times.length - 1 && !this.#hasValue(next)) next += Math.sign(by) || -1;
    this.plot.setCursor({ left: this.plot.valToPos(times[next], "x"), top: HEIGHT / 3 });
  }

  #hasValue(at) {
    return this.sets.some((_, number) => typeof this.plot.data[1 + number * 3][at] === "number");
  }

  #options() {
    const paint = colours();
    const axis = {
      stroke: paint.soft, grid: { stroke: paint.line, width: 1 }, ticks: { stroke: paint.line, width: 1 },
      font: "12px system-ui, sans-serif",
    };
    const series = [{}];
    const bands = [];
    this.sets.forEach((one, at) => {
      const stroke = paint.series[at % paint.series.length];
      const count = one.curve.t.length;
      series.push({
        label: one.name, stroke, width: 1.8, dash: dash(at),
        points: { show: one.curve.is_single && count < 120, size: 5, fill: stroke },
      });
      series.push({ stroke: "transparent", points: { show: false } });
      series.push({ stroke: "transparent", points: { show: false } });
      if (!one.curve.is_single) {
        bands.push({ series: [3 + at * 3, 2 + at * 3], fill: `${stroke}33` });
      }
    });
    return {
      width: this.place.clientWidth || 600,
      height: HEIGHT,
      ms: 1e-3,
      scales: { x: { time: true, range: () => this.range.get() } },
      series,
      bands,
      axes: [{ ...axis, size: 32, space: 74, incrs: STEPS_S, values: times }, { ...axis, size: 58 }],
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, setScale: false }, sync: { key: this.syncKey, filters: { pub: isMove } }, points: { size: 8 } },
      hooks: {
        drawClear: [(plot) => this.#drawGaps(plot, paint)],
        draw: [(plot) => this.#drawMarks(plot, paint)],
        setSelect: [(plot) => this.#select(plot)],
        setCursor: [(plot) => this.#atCursor(plot)],
      },
    };
  }

  #select(plot) {
    const { left, width } = plot.select;
    if (width < 6) return;
    const begin = plot.posToVal(left, "x");
    const end = plot.posToVal(left + width, "x");
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.range.choose(begin, end);
  }

  #atCursor(plot) {
    const at = plot.cursor.idx;
    if (at === null || at === undefined || plot.cursor.left < 0) {
      this.told(null);
      return;
    }
    const parts = [];
    this.sets.forEach((one, number) => {
      const value = plot.data[1 + number * 3][at];
      if (typeof value !== "number") return;
      const low = plot.data[2 + number * 3][at];
      const high = plot.data[3 + number * 3][at];
      const spread = typeof low === "number" && low !== high
        ? ` (${withUnit(low, "")} to ${withUnit(high, "")})` : "";
      const name = this.sets.length > 1 ? `${one.name} ` : "";
      parts.push(`${name}${withUnit(value, one.curve.unit)}${spread}`);
    });
    this.told(parts.length ? `${parts.join(", ")} · ${clock(plot.data[0][at])}` : `nothing · ${clock(plot.data[0][at])}`);
  }

  #drawGaps(plot, paint) {
    const { ctx } = plot;
    const { left, top, width, height } = plot.bbox;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    for (const gap of this.gaps) {
      this.#band(plot, gap.begin, gap.end, paint.bad, 1, `${counted(gap.last - gap.first + 1, "missing", "missing")}`);
    }
    if (this.overdue !== null) {
      this.#band(plot, this.overdue, this.range.get()[1], paint.soft, -1, "overdue");
    }
    ctx.restore();
  }

  // Hatched, so that it can be told without its colour; the other way round is another thing.
  #band(plot, begin, end, colour, lean, text) {
    const { ctx } = plot;
    const ratio = devicePixelRatio;
    const { top, height } = plot.bbox;
    const x = plot.valToPos(begin, "x", true);
    const wide = Math.max(3 * ratio, plot.valToPos(end, "x", true) - x);
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, top, wide, height);
    ctx.clip();
    ctx.globalAlpha = 0.12;
    ctx.fillStyle = colour;
    ctx.fillRect(x, top, wide, height);
    ctx.globalAlpha = 0.5;
    ctx.strokeStyle = colour;
    ctx.lineWidth = ratio;
    ctx.beginPath();
    const from = Math.max(x, plot.bbox.left) - height;
    const to = Math.min(x + wide, plot.bbox.left + plot.bbox.width) + height;
    for (let at = from - (from % (8 * ratio)); at < to; at += 8 * ratio) {
      ctx.moveTo(at, lean > 0 ? top + height : top);
      ctx.lineTo(at + height, lean > 0 ? top : top + height);
    }
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    const size = ctx.measureText(text).width;
    if (size + 12 * ratio < wide) {
      const middle = Math.max(x, plot.bbox.left) / 2 + Math.min(x + wide, plot.bbox.left + plot.bbox.width) / 2;
      ctx.fillStyle = paintedBack();
      ctx.fillRect(middle - size / 2 - 4 * ratio, top + 4 * ratio, size + 8 * ratio, 18 * ratio);
      ctx.fillStyle = colour;
      ctx.textAlign = "center";
      ctx.fillText(text, middle, top + 17 * ratio);
    }
    ctx.restore();
  }

  #drawMarks(plot, paint) {
    const { ctx } = plot;
    const ratio = devicePixelRatio;
    const { left, top, width, height } = plot.bbox;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top - 4 * ratio, width, height + 8 * ratio);
    ctx.clip();
    ctx.strokeStyle = paint.late;
    ctx.fillStyle = paint.back;
    ctx.lineWidth = 1.5 * ratio;
    for (const { curve } of this.sets) {
      const late = curve.late.filter(Boolean).length;
      for (let at = 0; at < curve.t.length; at += 1) {
        const isGuessed = curve.guessed?.[at];
        if (!curve.late[at] && !isGuessed) continue;
        const x = plot.valToPos(curve.t[at], "x", true);
        const value = curve.value[at];
        const atFoot = !curve.is_single || late > MARKED_MAX || drawable(value) === null;
        const y = atFoot ? top + height - 5 * ratio : plot.valToPos(value, "y", true);
        mark(ctx, x, y, 4.5 * ratio, isGuessed);
      }
    }
    ctx.restore();
  }
}

// A stretch that is dragged over is chosen once, not by each of the charts that go along.
const isMove = (kind) => kind === "mousemove" || kind === "mouseleave";

// Below the curve: as exact as the steps are, and the day where it changes.
// Between two times of day that are written. Finer than uPlot's own: on a phone few have room.
const MINUTE = 60, HOUR = 3600, DAY = 86_400;
const STEPS_S = [1, 2, 5, 10, 20, 30, ...[1, 2, 3, 5, 10, 15, 20, 30].map((n) => n * MINUTE), ...[1, 2, 3, 4, 6, 8, 12].map((n) => n * HOUR),
  ...[1, 2, 3, 4, 5, 7, 10, 14, 30, 60, 90, 120, 180, 365, 730, 1825, 3650].map((n) => n * DAY)];

function times(_plot, places, _axis, _space, step) {
  return places.map((t, at) => {
    const date = new Date(t * 1000);
    const isNewDay = at > 0 && date.toDateString() !== new Date(places[at - 1] * 1000).toDateString();
    if (step >= 300 * 86400) return String(date.getFullYear());
    if (step >= 86400 || isNewDay) return date.toLocaleDateString(undefined, { month: "short", day: "numeric" });
    return date.toLocaleTimeString(undefined, {
      hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(step < 60 ? { second: "2-digit" } : {}),
    });
  });
}

// A hollow triangle for what came late, a diamond for what has its time by its age alone.
function mark(ctx, x, y, size, isGuessed) {
  ctx.beginPath();
  ctx.moveTo(x, y - size);
  ctx.lineTo(x + size, isGuessed ? y : y + size * 0.8);
  if (isGuessed) ctx.lineTo(x, y + size);
  ctx.lineTo(x - size, isGuessed ? y : y + size * 0.8);
  ctx.closePath();
  ctx.fill();
  ctx.stroke();
}

const paintedBack = () => colours().back;

// Columns for uPlot: the time, and of each node the value, the least and the most.
function joined(sets) {
  const tables = sets.map(({ curve }) => broken(curve));
  if (!tables.length) return [[]];
  return tables.length === 1 ? tables[0] : uPlot.join(tables);
}

// What nobody measures would only flatten the rest, or keep the axis from being drawn at all. The
// table has it.
const drawable = (value) => (typeof value === "number" && Math.abs(value) < 1e12 ? value : null);

// Where nothing was measured for a while no line is drawn.
function broken(curve) {
  const [t, value, low, high] = [[], [], [], []];
  const usual = curve.interval_s || 0;
  const limit = Math.max(usual * 2.5, curve.is_single ? 1.5 : curve.width * 2.5);
  for (let at = 0; at < curve.t.length; at += 1) {
    if (at && curve.t[at] - curve.t[at - 1] > limit) {
      t.push((curve.t[at] + curve.t[at - 1]) / 2);
      for (const one of [value, low, high]) one.push(null);
    }
    t.push(curve.t[at]);
    value.push(drawable(curve.value[at]));
    low.push(curve.low ? drawable(curve.low[at]) : null);
    high.push(curve.high ? drawable(curve.high[at]) : null);
  }
  return [t, value, low, high];
}
