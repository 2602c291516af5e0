// The map of a job's nodes: preparation above, release below, one column of two marks for each node. The marks differ
// by how much ink they take, so that they can be told apart without colours; trouble takes the most.

import { h } from "./elements.js";

const GAP = 2;

/**
 * The size of marks that lets this many nodes fit without endless scrolling; CSS pixels.
 * @param {number} nodes
 */
function markSize(nodes) {
  return (
    [
      [60, 20],
      [240, 14],
      [1000, 10],
      [4000, 7],
    ].find(([most]) => nodes <= most)?.[1] ?? 5
  );
}

/**
 * Where each node lies: columns, rows and the distance from one to the next.
 * @param {number} nodes
 * @param {number} width
 */
function mapLayout(nodes, width) {
  const size = markSize(nodes);
  const columns = Math.max(1, Math.floor((width + GAP) / (size + GAP)));
  const rows = Math.ceil(nodes / columns);
  const [stepX, stepY] = [size + GAP, 2 * size + 1 + 2 * GAP];
  return { size, columns, rows, stepX, stepY, height: Math.max(0, rows * stepY - GAP) };
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {string | undefined} name
 * @param {number} x
 * @param {number} y
 * @param {number} size
 * @param {Record<string, string>} ink
 */
export function drawMark(pen, name, x, y, size, ink) {
  const middle = size / 2;
  const stroke = Math.max(1, size / 8);
  pen.fillStyle = pen.strokeStyle = ink[name ?? "none"] ?? ink.none;
  pen.lineWidth = stroke;
  if (name === "failed") {
    pen.fillRect(x, y, size, size);
    if (size < 7) return;
    pen.strokeStyle = ink.paper;
    const inset = size * 0.28;
    pen.beginPath();
    pen.moveTo(x + inset, y + inset);
    pen.lineTo(x + size - inset, y + size - inset);
    pen.moveTo(x + size - inset, y + inset);
    pen.lineTo(x + inset, y + size - inset);
    pen.stroke();
  } else if (name === "running" || name === "retrying") {
    pen.strokeRect(x + stroke / 2, y + stroke / 2, size - stroke, size - stroke);
    if (name === "retrying") pen.fillRect(x + middle - stroke, y + middle - stroke, 2 * stroke, 2 * stroke);
  } else if (name === "unknown") {
    pen.fillRect(x, y + size * 0.3, size, Math.max(1, size * 0.4));
  } else if (name === "succeeded") {
    const dot = Math.max(2, Math.round(size * 0.42));
    pen.fillRect(x + (size - dot) / 2, y + (size - dot) / 2, dot, dot);
  } else {
    pen.fillRect(x + size * 0.3, y + size - 1, size * 0.4, 1);
  }
}

/** @returns {Record<string, string>} */
function mapInk() {
  const style = getComputedStyle(document.documentElement);
  const ink = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {
    failed: ink("--bad"),
    running: ink("--busy"),
    retrying: ink("--busy"),
    unknown: ink("--warn"),
    succeeded: ink("--good"),
    none: ink("--edge"),
    paper: ink("--wash"),
  };
}

/** @param {NodeView} node */
export function outcomes(node) {
  return [node.preparation?.outcome, node.release?.outcome];
}

/** @param {HTMLCanvasElement} canvas */
function penOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

export class NodeMap {
  /**
   * @param {(node: NodeView) => void} choose opens a node
   * @param {(node: NodeView | undefined) => void} under is told which is under the pointer or the keyboard's cursor
   */
  constructor(choose, under) {
    /** @type {NodeView[]} */
    this.nodes = [];
    this.layout = mapLayout(0, 0);
    this.cursor = -1;
    this.canvas = h("canvas", {
      tabindex: 0,
      role: "application",
      "aria-roledescription": "map of nodes",
      "data-focus": "map",
    });
    this.frame = h("div", { class: "cursor", hidden: true });
    this.element = h("div", { class: "map" }, this.canvas, this.frame);
    this.at = under;
    this.canvas.addEventListener("mousemove", (event) => this.point(this.find(event)));
    this.canvas.addEventListener("mouseleave", () => this.point(-1));
    this.canvas.addEventListener("click", (event) => {
      const found = this.find(event);
      if (found >= 0) choose(this.nodes[found]);
    });
    this.canvas.addEventListener("keydown", (event) => {
      const { columns } = this.layout;
      const step = {
        ArrowRight: 1,
        ArrowLeft: -1,
        ArrowDown: columns,
        ArrowUp: -columns,
        Home: -Infinity,
        End: Infinity,
      }[event.key];
      if (step !== undefined) {
        event.preventDefault();
        const from = this.cursor < 0 && Number.isFinite(step) ? -step : this.cursor;
        this.point(Math.min(this.nodes.length - 1, Math.max(0, from + step)), true);
      } else if (event.key === "Enter" && this.nodes[this.cursor]) choose(this.nodes[this.cursor]);
    });
    new ResizeObserver(() => this.draw()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /**
   * @param {NodeView[]} nodes
   * @param {string} words
   */
  show(nodes, words) {
    this.nodes = nodes;
    if (this.cursor >= nodes.length) this.cursor = -1;
    this.canvas.setAttribute(
      "aria-label",
      `${words} Arrow keys go from node to node, Enter opens one. The same is in the table below.`,
    );
    this.draw();
  }

  draw() {
    const width = this.element.clientWidth - 20;
    if (width <= 0 || !this.element.isConnected) return;
    this.layout = mapLayout(this.nodes.length, width);
    const { size, columns, stepX, stepY, height } = this.layout;
    const scale = devicePixelRatio || 1;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const pen = penOf(this.canvas);
    pen.scale(scale, scale);
    const ink = mapInk();
    this.nodes.forEach((node, number) => {
      const [x, y] = [(number % columns) * stepX, Math.floor(number / columns) * stepY];
      const [preparation, release] = outcomes(node);
      drawMark(pen, preparation, x, y, size, ink);
      drawMark(pen, release, x, y + size + 1, size, ink);
    });
    this.placeFrame();
  }

  /** The frame lies above the drawing, so that pointing at one node draws none anew. */
  placeFrame() {
    this.frame.hidden = this.cursor < 0;
    if (this.cursor < 0) return;
    const { size, columns, stepX, stepY } = this.layout;
    const [x, y] = [(this.cursor % columns) * stepX, Math.floor(this.cursor / columns) * stepY];
    Object.assign(this.frame.style, {
      width: `${size + 4}px`,
      height: `${2 * size + 5}px`,
      transform: `translate(${x - 2}px, ${y - 2}px)`,
    });
  }

  /** @param {MouseEvent} event */
  find(event) {
    const { columns, stepX, stepY } = this.layout;
    const found =
      Math.floor(event.offsetY / stepY) * columns + Math.min(columns - 1, Math.floor(event.offsetX / stepX));
    return found < this.nodes.length ? found : -1;
  }

  /** @param {number} number */
  point(number, reveal = false) {
    if (number === this.cursor) return;
    this.cursor = number;
    this.at(this.nodes[number]);
    this.placeFrame();
    if (reveal)
      this.element.scrollTop =
        Math.floor(number / this.layout.columns) * this.layout.stepY - this.element.clientHeight / 2;
  }
}

export function mapLegend() {
  const ink = mapInk();
  const one = (/** @type {string} */ name, /** @type {string} */ words) => {
    const sample = h("canvas", { width: 28, height: 28, "aria-hidden": "true" });
    sample.style.width = sample.style.height = "14px";
    const pen = penOf(sample);
    pen.scale(2, 2);
    drawMark(pen, name, 0, 0, 14, ink);
    return h("span", {}, sample, words);
  };
  return h(
    "p",
    { class: "legend" },
    [
      ["failed", "failed"],
      ["retrying", "retrying"],
      ["running", "running"],
      ["unknown", "unknown"],
      ["succeeded", "succeeded"],
      ["", "not run"],
    ].map(([name, words]) => one(name, words)),
    h("span", {}, "upper mark preparation, lower mark release"),
  );
}
