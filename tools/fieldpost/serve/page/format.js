// Numbers and times as people read them.

export const now = () => Date.now() / 1000;

export function duration(seconds) {
  const s = Math.max(0, Math.abs(seconds));
  if (s < 100) return `${Math.round(s)} s`;
  if (s < 100 * 60) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

export function ago(t) {
  if (t === null || t === undefined) return "never";
  const s = now() - t;
  return s < 1.5 ? "now" : `${duration(s)} ago`;
}

export function ahead(t) {
  const s = t - now();
  return s < 1.5 ? "now" : `in ${duration(s)}`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

// Beyond it there are no dates, and a stranger may send any number.
const LATEST = 8.6e12;

export function clock(t) {
  if (!(Math.abs(t) < LATEST)) return String(t);
  const date = new Date(t * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? CLOCK : DAY).format(date);
}

export const fullTime = (t) => !(Math.abs(t) < LATEST) ? String(t) : DAY.format(new Date(t * 1000));

export function number(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  if (Number.isInteger(value)) return value.toLocaleString();
  const digits = Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 4;
  return value.toLocaleString(undefined, { maximumFractionDigits: digits });
}

export function withUnit(value, unit) {
  return unit && typeof value === "number" ? `${number(value)} ${unit}` : number(value);
}

export function title(field) {
  const words = field.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function signal(rssi) {
  if (rssi === null) return null;
  const word = rssi >= -60 ? "strong" : rssi >= -70 ? "good" : rssi >= -80 ? "weak" : "very weak";
  return `${word}, ${rssi} dBm`;
}

export const counted = (n, one, many) => `${n.toLocaleString()} ${n === 1 ? one : many || one + "s"}`;
