// Elements of the page. Whatever comes from a node becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function replace(element, ...children) {
  element.textContent = "";
  append(element, children);
}

// Only where it differs: a reader of the screen is told of changes alone.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const SHAPES = {
  online: "M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3",
  asleep: "M10.5 2A6 6 0 1 0 14 10.8 5 5 0 0 1 10.5 2",
  offline: "M4 2.6 8 6.6l4-4L13.4 4l-4 4 4 4L12 13.4l-4-4-4 4L2.6 12l4-4-4-4z",
  warning: "M8 1.5 15 14H1zM7.2 6v4h1.6V6zm0 5v1.6h1.6V11z",
  unknown: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2m0 2a4 4 0 1 0 0 8 4 4 0 0 0 0-8",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[name] || SHAPES.unknown);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}
