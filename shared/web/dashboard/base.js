"use strict";
// Words, elements and the address: what every other part of the page builds on.

const SVG = "http://www.w3.org/2000/svg";

/** An element; properties become attributes, functions become listeners, texts are only ever text. */
function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A drawing of 16 by 16 in the colour of the text around it; what it says is said in words beside it. */
function icon(shape, kind = "") {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 16 16", fill: "none", stroke: "currentColor", "stroke-width": 1.75, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true", class: kind })) svg.setAttribute(name, value);
  for (const d of SHAPES[shape] ?? SHAPES.dot) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

const CIRCLE = "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13z";
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
const OUTCOMES = {
  failed: ["failing", "bad-ink", "failed"],
  retrying: ["retrying", "busy-ink", "retrying"],
  running: ["running", "busy-ink", "running"],
  unknown: ["degraded", "warn-ink", "unknown"],
  succeeded: ["ok", "good-ink", "succeeded"],
};

function outcome(name) {
  if (!name) return h("span", { class: "soft" }, "not run");
  const [shape, kind, word] = OUTCOMES[name] ?? ["degraded", "warn-ink", name];
  return h("span", { class: `outcome ${kind}` }, icon(shape), word);
}

function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  for (const [word, size] of UNITS) if (whole >= size) return count(Math.floor(whole / size), word);
  return count(whole, "second");
}

function ago(text) {
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  if (seconds < -60) return `in ${duration(-seconds)}`;
  return seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}

const PRECISE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** A moment, said relative to now and kept true by `ageing`; precise on hover. */
function moment(text, missing = "unknown") {
  if (!text) return h("span", {}, missing);
  return h("time", { datetime: text, title: PRECISE.format(new Date(text)) }, ago(text));
}

/** For how long something goes on that began at a moment; kept true by `ageing`, the moment on hover. */
function lasting(text) {
  return h("time", { datetime: text, title: `since ${PRECISE.format(new Date(text))}`, "data-lasting": true }, lasts(text));
}

function lasts(text) {
  return duration((Date.now() - Date.parse(text)) / 1000);
}

function ageing() {
  for (const element of document.querySelectorAll("time[datetime]:not([data-fixed])")) {
    const text = element.getAttribute("datetime");
    const words = element.hasAttribute("data-lasting") ? lasts(text) : ago(text);
    if (element.textContent !== words) element.textContent = words;
  }
}

function clockTime(text) {
  const time = new Date(text);
  const words = time.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return h("time", { datetime: text, title: PRECISE.format(time), "data-fixed": true }, words);
}

const shown = new Map();

/** Put new content into a section, only if what it is made from has changed. */
function mount(id, facts, make) {
  const fingerprint = JSON.stringify(facts);
  if (shown.get(id) === fingerprint) return;
  shown.set(id, fingerprint);
  refill(document.getElementById(id), make);
}

/** Put new content into an element, and keep the focus and what is unfolded as they were. */
function refill(section, make) {
  const focused = section.contains(document.activeElement) ? document.activeElement : null;
  const mark = focused?.dataset.focus;
  const selection = focused instanceof HTMLInputElement ? focused.selectionStart : null;
  const open = new Set([...section.querySelectorAll("details[open][data-focus]")].map((one) => one.dataset.focus));
  section.replaceChildren(...[make()].flat(9).filter(Boolean));
  for (const one of section.querySelectorAll("details[data-focus]")) one.open = open.has(one.dataset.focus);
  if (!mark) return;
  const again = section.querySelector(`[data-focus="${CSS.escape(mark)}"]`);
  again?.focus({ preventScroll: true });
  if (selection !== null) again?.setSelectionRange(selection, selection);
}

// What is looked at is in the address, so that a link shows somebody else the same.
const PARAMETERS = ["account", "job", "pool", "node", "event", "q", "show"];

function readAddress() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(PARAMETERS.map((name) => [name, query.get(name) ?? ""]));
}

function address(change) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...readAddress(), ...change })) if (value) query.set(name, value);
  return `?${query}`;
}

function go(change, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", address(change));
  dispatchEvent(new Event("addresschange"));
}

/** A link within the page; it opens in place, or elsewhere when somebody asks for that. */
function link(change, properties, ...children) {
  const follow = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(change);
  };
  return h("a", { ...properties, href: address(change), click: follow }, ...children);
}

let toastTimer = 0;

/** Say something for a while; in the dialog while one is open, as it hides and mutes everything outside of it. */
function toast(words) {
  (document.querySelector("dialog[open] .toast") ?? document.querySelector("body > .toast")).textContent = words;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { for (const one of document.querySelectorAll(".toast")) one.textContent = ""; }, 6000);
}

/** A button that says what became of what it did; it can't be pressed twice meanwhile, and keeps the focus. */
function act(words, work, properties = {}) {
  const press = async (event) => {
    const button = event.currentTarget;
    if (button.hasAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    try {
      const told = await work();
      if (told) toast(told);
    } catch (error) {
      toast(error.message);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  };
  return h("button", { type: "button", class: "small", ...properties, click: press }, words);
}
