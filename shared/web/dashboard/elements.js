// Elements, drawings, and sections that are filled anew.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element; properties become attributes, functions become listeners, texts are only ever text.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} properties
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...flat(children).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * What is to be shown in one row, however deeply it was nested.
 * @param {readonly Child[]} children
 * @returns {any[]}
 */
function flat(children) {
  return children.flat(9);
}

/**
 * The element of index.html that has this id.
 * @param {string} id
 */
export function part(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no #${id}.`);
  return found;
}

/**
 * A drawing of 16 by 16 in the colour of the text around it; what it says is said in words beside it.
 * @param {string} shape
 */
export function icon(shape, kind = "") {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({
    viewBox: "0 0 16 16",
    fill: "none",
    stroke: "currentColor",
    "stroke-width": "1.75",
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    "aria-hidden": "true",
    class: kind,
  }))
    svg.setAttribute(name, value);
  for (const d of SHAPES[shape] ?? SHAPES.dot) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

const CIRCLE = "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13z";
/** @type {Record<string, string[]>} */
const SHAPES = {
  ok: [CIRCLE, "M5 8.2l2.1 2.1L11 6"],
  failing: ["M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3L1.5 10.7V5.3z", "M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4"],
  degraded: ["M8 1.8L14.8 14H1.2z", "M8 6.4v3.4M8 12v.1"],
  stale: [CIRCLE, "M8 4.4V8l2.5 1.7"],
  running: [CIRCLE],
  retrying: [CIRCLE, "M8 7.9v.2"],
  bell: ["M3 12h10M4.5 12V7a3.5 3.5 0 0 1 7 0v5M7 14.2h2"],
  dot: ["M8 7.6v.8"],
};
/** Of each outcome its drawing, colour and word. @type {Record<string, Look>} */
export const OUTCOMES = {
  failed: ["failing", "bad-ink", "failed"],
  retrying: ["retrying", "busy-ink", "retrying"],
  running: ["running", "busy-ink", "running"],
  unknown: ["degraded", "warn-ink", "unknown"],
  succeeded: ["ok", "good-ink", "succeeded"],
};

/** @param {string | undefined} name */
export function outcome(name) {
  if (!name) return h("span", { class: "soft" }, "not run");
  const [shape, kind, word] = OUTCOMES[name] ?? ["degraded", "warn-ink", name];
  return h("span", { class: `outcome ${kind}` }, icon(shape), word);
}

export const shown = new Map();

/**
 * Put new content into a section, only if what it is made from has changed.
 * @param {string} id
 * @param {unknown} facts
 * @param {() => Child} make
 */
export function mount(id, facts, make) {
  const fingerprint = JSON.stringify(facts);
  if (shown.get(id) === fingerprint) return;
  shown.set(id, fingerprint);
  refill(part(id), make);
}

/**
 * Put new content into an element, and keep the focus and what is unfolded as they were.
 * @param {HTMLElement} section
 * @param {() => Child} make
 */
export function refill(section, make) {
  const active = document.activeElement;
  const focused = active instanceof HTMLElement && section.contains(active) ? active : null;
  const mark = focused?.dataset.focus;
  const selection = focused instanceof HTMLInputElement ? focused.selectionStart : null;
  const unfolded = () =>
    /** @type {NodeListOf<HTMLDetailsElement>} */ (section.querySelectorAll("details[data-focus]"));
  const open = new Set([...unfolded()].filter((one) => one.open).map((one) => one.dataset.focus));
  section.replaceChildren(...flat([make()]).filter(Boolean));
  for (const one of unfolded()) one.open = open.has(one.dataset.focus);
  if (!mark) return;
  const again = section.querySelector(`[data-focus="${CSS.escape(mark)}"]`);
  if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  if (selection !== null && again instanceof HTMLInputElement) again.setSelectionRange(selection, selection);
}
