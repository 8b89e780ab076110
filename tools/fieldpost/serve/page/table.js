// A curve as a table: the same readings, the same gaps, in words.

import { h, replace } from "./dom.js";
import { clock, counted, duration, fullTime, number } from "./format.js";

const ROWS_MAX = 500;

export function drawTable(place, field, sets, gaps) {
  const rows = sets.flatMap(({ name, curve }) => rowsOf(name, curve, sets.length > 1));
  for (const gap of gaps) {
    const count = gap.last - gap.first + 1;
    rows.push([gap.end, [fullTime(gap.begin), sets.length > 1 ? "" : null, `${counted(count, "reading")} missing`, "",
      `boot ${gap.boot}, ${count > 1 ? `${gap.first} to ${gap.last}` : gap.first}`], true]);
  }
  rows.sort((a, b) => b[0] - a[0]);
  const isSingle = sets.every((one) => one.curve.is_single);
  const heads = ["Taken", sets.length > 1 ? "Node" : null, isSingle ? "Value" : "Mean, from least to most", "Arrived", isSingle ? "Boot, number" : "Readings"];
  replace(place, h("table", { class: "readings" },
    h("caption", null, rows.length > ROWS_MAX ? `${field}: the latest ${ROWS_MAX} of ${number(rows.length)} rows` : `${field}: ${counted(rows.length, "row")}`),
    h("thead", null, h("tr", null, heads.filter((one) => one !== null).map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", null, rows.slice(0, ROWS_MAX).map(([, cells, isGap]) => h("tr", { class: isGap ? "gap" : null },
      cells.filter((one) => one !== null).map((one) => h("td", null, one)))))));
}

function rowsOf(name, curve, isNamed) {
  const unit = curve.unit ? ` ${curve.unit}` : "";
  return curve.t.map((t, at) => {
    const who = isNamed ? name : null;
    if (!curve.is_single) {
      const spread = `${number(curve.value[at])}${unit}, ${number(curve.low[at])} to ${number(curve.high[at])}`;
      const late = curve.late[at] ? `${number(curve.late[at])} late` : "in time";
      return [t, [fullTime(t), who, spread, late, number(curve.readings[at])]];
    }
    const [boot, seq] = curve.key[at];
    const delay = curve.received[at] - t;
    const arrived = curve.late[at] ? `${clock(curve.received[at])}, ${duration(delay)} late` : clock(curve.received[at]);
    const guessed = curve.guessed[at] ? " (time by its age)" : "";
    const value = curve.value[at] === null ? "not measured" : `${number(curve.value[at])}${typeof curve.value[at] === "number" ? unit : ""}`;
    return [t, [fullTime(t) + guessed, who, value, arrived, `${boot}, ${seq}`]];
  });
}
