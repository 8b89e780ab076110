// Colours that the canvas needs, out of the style sheet.

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    soft: of("--soft"),
    line: of("--line"),
    back: of("--panel"),
    bad: of("--bad"),
    late: of("--late"),
    series: [1, 2, 3, 4, 5, 6, 7, 8].map((at) => of(`--series-${at}`)),
  };
}
