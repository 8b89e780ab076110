// The stretch of time that all curves of a view show: the latest, or one that was chosen.

import { now } from "./format.js";

export const SPANS = [
  [60, "1 min"], [300, "5 min"], [3600, "1 h"], [6 * 3600, "6 h"], [86400, "1 d"],
  [7 * 86400, "7 d"], [30 * 86400, "30 d"], [365 * 86400, "1 y"],
];
const LEAST_S = 2;
const MOST_S = 50 * 365 * 86400;

export class Range extends EventTarget {
  constructor(span) {
    super();
    this.span = span;
    this.end = null;
    this.kept = [];
  }

  get isLive() {
    return this.end === null;
  }

  get() {
    const end = this.isLive ? now() + this.span * 0.02 : this.end;
    return [end - this.span, end];
  }

  live(span) {
    this.kept = [];
    this.#set(span, null);
  }

  choose(begin, end) {
    this.kept.push([this.span, this.end]);
    if (this.kept.length > 50) this.kept.shift();
    const span = Math.min(MOST_S, Math.max(LEAST_S, end - begin));
    this.#set(span, begin + span);
  }

  // All that there is, and a little around it.
  all(begin, end) {
    const room = Math.max(LEAST_S, (end - begin) * 0.03);
    this.choose(begin - room, end + room);
  }

  back() {
    const before = this.kept.pop();
    if (before) this.#set(...before);
    else if (!this.isLive) this.live(this.span);
  }

  pan(part) {
    const [begin, end] = this.get();
    const end_ = end + part * this.span;
    if (end_ >= now() + this.span * 0.02) this.live(this.span);
    else this.choose(begin + part * this.span, end_);
  }

  zoom(factor) {
    const [begin, end] = this.get();
    const span = Math.min(MOST_S, Math.max(LEAST_S, this.span * factor));
    if (this.isLive) this.#set(span, null);
    else this.choose((begin + end - span) / 2, (begin + end + span) / 2);
  }

  #set(span, end) {
    this.span = span;
    this.end = end;
    this.dispatchEvent(new Event("change"));
  }
}

export function fittingSpan(interval) {
  const wanted = (interval || 60) * 150;
  return (SPANS.find(([span]) => span >= wanted) || SPANS.at(-1))[0];
}
