// The nodes of the chosen job: read once more when something has changed, and as a table.

import { h, outcome, OUTCOMES } from "./elements.js";
import { capital, count } from "./words.js";
import { go, readAddress } from "./address.js";
import { getAll, messageOf, nodesPath, query, rounds } from "./api.js";
import { copyButton } from "./parts.js";
import { outcomes } from "./nodemap.js";

const MOST_SHOWN_NODES = 50;
const RANK = ["failed", "retrying", "unknown", "running", "succeeded"];
/** What is known of the chosen job's nodes: `nodes` is shown, `all` is what has come since. */
export const chosen = {
  of: "",
  seen: "",
  nodes: /** @type {NodeView[]} */ ([]),
  all: /** @type {NodeView[]} */ ([]),
  loading: false,
  trouble: "",
  map: /** @type {import("./nodemap.js").NodeMap | null} */ (null),
  outcome: "",
  text: "",
  order: "worst",
  more: MOST_SHOWN_NODES,
};

/** @param {NodeView} node */
function worst(node) {
  if (node.open) return -1;
  const ranks = outcomes(node).map((name) => (name ? RANK.indexOf(name) : RANK.length));
  return Math.min(...ranks);
}

/**
 * Read the job's nodes again when the summary says that something has changed.
 * @param {JobView} job
 */
export async function readNodes(job) {
  const of = `${job.account} ${job.jobId}`;
  const seen = JSON.stringify([of, job.changedAt, job.preparation, job.release]);
  if (chosen.seen === seen || chosen.loading) return;
  if (chosen.of !== of)
    Object.assign(chosen, { of, nodes: [], all: [], outcome: "", text: "", more: MOST_SHOWN_NODES });
  Object.assign(chosen, { seen, loading: true, trouble: "" });
  const first = chosen.nodes.length === 0;
  try {
    await getAll(nodesPath(job.jobId, query({ account: job.account, top: 1000 })), (nodes) => {
      if (chosen.of !== of || readAddress().job.toLowerCase() !== job.jobId.toLowerCase()) return false;
      chosen.all = nodes;
      if (first) takeNodes();
      return true;
    });
    if (chosen.of === of) takeNodes();
  } catch (error) {
    Object.assign(chosen, { trouble: messageOf(error), seen: "" });
  } finally {
    chosen.loading = false;
  }
  rounds.refresh();
}

function takeNodes() {
  chosen.nodes = chosen.all;
  chosen.map?.show(chosen.nodes, `Map of ${count(chosen.nodes.length, "node")}.`);
}

/** Why a node failed, in a word; empty when it did not. @param {NodeView} node */
function whyOf(node) {
  const failed = [node.preparation, node.release].find((phase) => phase?.outcome === "failed")?.execution;
  if (!failed) return "";
  return failed.failureInfo?.code ?? (failed.exitCode === undefined ? "failed" : `exit code ${failed.exitCode}`);
}

/** When a node's last run ended or began. @param {NodeView} node */
function lastOf(node) {
  const runs = [node.preparation?.execution, node.release?.execution];
  return runs.map((run) => run?.endTime ?? run?.startTime ?? "").sort()[1] ?? "";
}

/** @type {Record<string, [string, (one: NodeView, other: NodeView) => number]>} */
const ORDERS_OF_NODES = {
  worst: ["Worst first", (one, other) => worst(one) - worst(other)],
  last: ["Last run first", (one, other) => lastOf(other).localeCompare(lastOf(one))],
  node: ["Node id", (one, other) => one.nodeId.localeCompare(other.nodeId)],
  pool: ["Pool", (one, other) => one.poolId.localeCompare(other.poolId)],
};

/** @param {NodeView} node */
function matchesText(node) {
  const text = chosen.text.trim().toLowerCase();
  if (!text) return true;
  const messages = [node.preparation, node.release].map((phase) => phase?.cause?.message ?? "");
  return [node.nodeId, node.poolId, whyOf(node), ...messages].some((one) => one.toLowerCase().includes(text));
}

/** @param {NodeView} node */
export function openNode(node) {
  go({ pool: node.poolId, node: node.nodeId });
}

export const nodesMark = () => chosen.nodes.map((node) => outcomes(node).join("") + (node.open ? "!" : "")).join(" ");

export function nodesTable() {
  const wanted = chosen.nodes
    .filter((node) => !chosen.outcome || outcomes(node).some((outcome) => outcome === chosen.outcome))
    .filter(matchesText)
    .sort(ORDERS_OF_NODES[chosen.order][1]);
  const choose = (/** @type {"outcome" | "order" | "text"} */ name) => (/** @type {any} */ event) => {
    Object.assign(chosen, { [name]: event.target.value, more: MOST_SHOWN_NODES });
    rounds.refresh();
  };
  return [
    h(
      "div",
      { class: "head" },
      h("h3", { id: "nodes-title" }, "Nodes"),
      h(
        "select",
        { "aria-label": "Which nodes", "data-focus": "outcome", change: choose("outcome") },
        [["", "All outcomes"], ...Object.entries(OUTCOMES).map(([name, [, , words]]) => [name, capital(words)])].map(
          ([value, words]) => h("option", { value, selected: value === chosen.outcome }, words),
        ),
      ),
      h(
        "select",
        { "aria-label": "Order of nodes", "data-focus": "order", change: choose("order") },
        Object.entries(ORDERS_OF_NODES).map(([value, [words]]) =>
          h("option", { value, selected: value === chosen.order }, words),
        ),
      ),
      h("input", {
        type: "search",
        placeholder: "Node, pool or cause",
        "aria-label": "Filter nodes by id, pool or cause",
        value: chosen.text,
        "data-focus": "node text",
        input: choose("text"),
      }),
    ),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "nodes-title", "data-focus": "scroll" },
      h(
        "table",
        { class: "nodes", "aria-labelledby": "nodes-title" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Node", "Preparation", "Release", "Why"].map((words) => h("th", { scope: "col" }, words)),
          ),
        ),
        h("tbody", {}, wanted.slice(0, chosen.more).map(nodeRow)),
      ),
    ),
    wanted.length === 0 && h("p", { class: "empty" }, "No node matches."),
    wanted.length > chosen.more &&
      h(
        "button",
        {
          type: "button",
          class: "more",
          "data-focus": "more",
          click: () => {
            chosen.more += 200;
            rounds.refresh();
          },
        },
        `Show more of ${wanted.length.toLocaleString("en")}`,
      ),
  ];
}

/** @param {NodeView} node */
function nodeRow(node) {
  return h(
    "tr",
    {},
    h(
      "td",
      {},
      h(
        "button",
        {
          type: "button",
          class: "link id",
          "data-focus": `node ${node.poolId} ${node.nodeId}`,
          click: () => openNode(node),
        },
        node.nodeId,
      ),
      h(
        "div",
        { class: "soft small" },
        node.poolId,
        " ",
        copyButton(node.nodeId, `id of node ${node.nodeId}`, "Copy id"),
      ),
    ),
    h("td", {}, outcome(node.preparation?.outcome)),
    h("td", {}, outcome(node.release?.outcome)),
    h("td", {}, whyOf(node)),
  );
}
