// The nodes of the chosen job: read once more when something has changed, and as a table.

import { h, outcome, OUTCOMES } from "./elements.js";
import { capital, count } from "./words.js";
import { go, readAddress } from "./address.js";
import { getAll, messageOf, nodesPath, query } from "./api.js";
import { rounds } from "./rounds.js";
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
  if (chosen.of !== of) Object.assign(chosen, { of, nodes: [], all: [], outcome: "", more: MOST_SHOWN_NODES });
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

/**
 * An id that gives up its middle when there is no room, and is whole when it is copied.
 * @param {string} id
 */
function longId(id) {
  if (id.length < 24) return id;
  return [h("span", { class: "start" }, id.slice(0, -8)), h("span", { class: "end" }, id.slice(-8))];
}

/** @param {NodeView} node */
export function openNode(node) {
  go({ pool: node.poolId, node: node.nodeId });
}

export const nodesMark = () => chosen.nodes.map((node) => outcomes(node).join("") + (node.open ? "!" : "")).join(" ");

export function nodesTable() {
  const wanted = chosen.nodes
    .filter((node) => !chosen.outcome || outcomes(node).some((outcome) => outcome === chosen.outcome))
    .sort((one, other) => worst(one) - worst(other));
  const choose = (/** @type {{ target: HTMLSelectElement }} */ event) => {
    Object.assign(chosen, { outcome: event.target.value, more: MOST_SHOWN_NODES });
    rounds.refresh();
  };
  return [
    h(
      "div",
      { class: "head" },
      h("h3", { id: "nodes-title" }, "Nodes, worst first"),
      h(
        "select",
        { "aria-label": "Which nodes", "data-focus": "outcome", change: choose },
        [["", "All outcomes"], ...Object.entries(OUTCOMES).map(([name, [, , words]]) => [name, capital(words)])].map(
          ([value, words]) => h("option", { value, selected: value === chosen.outcome }, words),
        ),
      ),
    ),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "nodes-title", "data-focus": "scroll" },
      h(
        "table",
        { "aria-labelledby": "nodes-title" },
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
    wanted.length === 0 && h("p", { class: "empty" }, "No node has that outcome."),
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
  const failed = [node.preparation, node.release].find((phase) => phase?.outcome === "failed")?.execution;
  const why = failed
    ? (failed.failureInfo?.code ?? (failed.exitCode === undefined ? "failed" : `exit code ${failed.exitCode}`))
    : "";
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
          class: "link id long",
          "data-focus": `node ${node.poolId} ${node.nodeId}`,
          click: () => openNode(node),
          title: node.nodeId,
          "aria-label": node.nodeId,
        },
        longId(node.nodeId),
      ),
      h("div", { class: "soft small" }, node.poolId),
    ),
    h("td", {}, outcome(node.preparation?.outcome)),
    h("td", {}, outcome(node.release?.outcome)),
    h("td", {}, why),
  );
}
