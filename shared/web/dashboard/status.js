// The first thing asked: is anything wrong, and what; and which pools have nodes that can't work.

import { h, icon, mount, part } from "./elements.js";
import { capital, count, moment, stateInWords, unbroken } from "./words.js";
import { readAddress } from "./address.js";
import { get, nextPath, post, query, rounds } from "./api.js";
import { act, copyButton, dialog, link } from "./parts.js";
import { onlyAccount, side, waitingFor } from "./lists.js";

const LONGEST_HEADLINE = 90;
const DATES = /(\d{4}-\d\d-\d\d)/;

/** @type {Record<string, Look>} */
export const VERDICTS = {
  ok: ["ok", "good-ink", "All healthy"],
  failing: ["failing", "bad-ink", "Jobs are failing"],
  degraded: ["degraded", "warn-ink", "Degraded"],
  stale: ["stale", "warn-ink", "Data may be out of date"],
};
/** Of a reason what a headline has room for: webhook teams is failing. @param {string} reason */
function gist(reason) {
  return reason.length > LONGEST_HEADLINE ? reason.split(/[,:;] |\. /)[0] : reason;
}

/**
 * @param {SummaryView | null} summary
 * @param {string} connection
 */
export function showStatus(summary, connection) {
  mount(
    "status",
    [summary && [summary.status, summary.reasons, summary.totals, summary.deliveries, waiting()], connection],
    () => {
      if (!summary) {
        return h(
          "div",
          { class: "verdict" },
          icon("degraded", "warn-ink"),
          h("div", {}, h("h1", {}, "No data yet"), h("p", { class: "reasons" }, connection)),
        );
      }
      const [shape, kind, verdict] = VERDICTS[summary.status] ?? ["degraded", "warn-ink", summary.status];
      const { slow } = summary.totals.preparation;
      const idle = summary.status === "ok" && !summary.totals.jobs;
      const words = idle ? "No job to watch" : slow && summary.status === "ok" ? "Nothing has failed" : verdict;
      const reasons = summary.reasons.length
        ? [...summary.reasons]
        : ["No open failures, every account was read in time, and every message was delivered or is on its way."];
      if (slow) reasons.push(`preparation takes too long on ${count(slow, "node")}`);
      const headline = gist(reasons[0]);
      return [
        h(
          "div",
          { class: "verdict" },
          icon(shape, kind),
          h(
            "div",
            {},
            h("h1", {}, headline && summary.status === "degraded" ? `${words}: ${headline}` : words),
            h(
              "ul",
              { class: "reasons" },
              (headline === reasons[0] && summary.status === "degraded" ? reasons.slice(1) : reasons).map((reason) =>
                h("li", {}, unbroken(`${capital(reason)}.`.replace(/\.\.$/, "."), DATES)),
              ),
            ),
          ),
        ),
        summary.reasons.some((reason) => reason.startsWith("release failed")) && knownReleases(),
        figures(summary),
        connection && h("p", { class: "note", role: "alert" }, connection),
      ];
    },
  );
}

function knownReleases() {
  const dismiss = async () => {
    const told = await post("dismissals", { jobs: ["*"] });
    await rounds.reread();
    return `The failed releases of ${count(told.dismissed, "job")} are dismissed.`;
  };
  return act("Dismiss the failed releases", dismiss, { "data-focus": "releases" });
}

/** What all webhooks are still to be told; null while that is not known. */
function waiting() {
  return side.webhooks && side.webhooks.reduce((sum, hook) => sum + waitingFor(hook), 0);
}

/** @param {SummaryView} summary */
function figures(summary) {
  const { totals, deliveries } = summary;
  const untold = waiting();
  const one = (/** @type {number} */ number, /** @type {string} */ words, bad = false) =>
    h("div", { class: bad && number ? "bad" : "" }, h("dt", {}, words), h("dd", {}, number.toLocaleString("en")));
  return h(
    "dl",
    { class: "figures" },
    one(totals.jobs, totals.jobs === 1 ? "job" : "jobs"),
    // A node of a pool that several jobs use is one of each.
    one(totals.nodes, `${totals.nodes === 1 ? "node" : "nodes"}${totals.jobs > 1 ? ", counted job by job" : ""}`),
    one(totals.preparation.open ?? 0, "can't take tasks", true),
    one(totals.release.failed ?? 0, "failed to release", true),
    untold !== null && one(untold, untold === 1 ? "message waiting" : "messages waiting"),
    one(deliveries.dead, "undeliverable", true),
  );
}

/**
 * Pools that are gone, or have nodes that can't work; with a job chosen only the one that it runs in.
 * @param {SummaryView} summary
 */
export function showPools(summary) {
  const at = readAddress();
  const only = onlyAccount(summary);
  const pools = (side.pools ?? []).filter(
    (pool) =>
      (pool.gone || pool.unable > 0 || pool.since) &&
      (!only || pool.account === only) &&
      (!at.job || pool.jobs.some((job) => job.toLowerCase() === at.job.toLowerCase())),
  );
  part("pools").hidden = pools.length === 0;
  mount("pools", pools, () => [
    h("div", { class: "head" }, h("h2", { id: "pools-title" }, "Pools with nodes that can't work")),
    h("ul", { class: "list" }, pools.map(poolItem)),
  ]);
}

/** @param {PoolView} pool */
function poolItem(pool) {
  const all = Object.values(pool.nodes).reduce((sum, number) => sum + number, 0);
  const states = Object.entries(pool.nodes).map(
    ([state, number]) => `${number.toLocaleString("en")} ${stateInWords(state)}`,
  );
  return h(
    "li",
    { class: "hook" },
    h(
      "div",
      { class: "line" },
      h("b", { class: "id" }, pool.poolId),
      h(
        "span",
        { class: "tag bad" },
        pool.gone
          ? "gone"
          : pool.able
            ? `${pool.unable.toLocaleString("en")} of ${count(all, "node")} can't work`
            : "no node can work",
      ),
      h(
        "span",
        { class: "acts" },
        copyButton(pool.poolId, `id of pool ${pool.poolId}`),
        pool.unable > 0 &&
          act("Show nodes", () => showPoolNodes(pool), {
            "aria-label": `Show nodes of ${pool.poolId} that can't work`,
            "data-focus": `pool ${pool.account} ${pool.poolId}`,
          }),
      ),
    ),
    h("p", {}, `${pool.account}: ${states.join(", ") || "no nodes"}`, pool.since && [", since ", moment(pool.since)]),
    pool.jobs.length > 0 &&
      h(
        "p",
        {},
        `${count(pool.jobCount, "job")}: `,
        pool.jobs.slice(0, 5).flatMap((job) => [link({ account: pool.account, job }, { class: "id" }, job), " "]),
        pool.jobCount > 5 && "…",
      ),
  );
}

/** @param {PoolView} pool */
const poolNodesPath = (pool) =>
  `pools/${encodeURIComponent(pool.poolId)}/nodes${query({ account: pool.account, top: 200 })}`;

/** @param {PoolView} pool */
async function showPoolNodes(pool, path = poolNodesPath(pool), before = /** @type {PoolNodeView[]} */ ([])) {
  /** @type {PoolNodesView} */
  const { value, nextLink } = await get(path);
  const nodes = [...before, ...value];
  dialog(
    `Nodes of ${pool.poolId} that can't work`,
    h(
      "p",
      { class: "soft block" },
      `${nextLink ? "The first " : ""}${count(nodes.length, "node")}, as Batch says now.`,
    ),
    h(
      "ul",
      { class: "list" },
      nodes.map((node) => {
        const error = node.errors?.[0] ?? node.startTaskInfo?.failureInfo;
        return h(
          "li",
          { class: "hook" },
          h(
            "div",
            { class: "line" },
            h("b", { class: "id" }, node.id ?? ""),
            h("span", { class: "tag bad" }, stateInWords(node.state)),
            node.id && copyButton(node.id, `id of node ${node.id}`),
          ),
          error && h("p", {}, `${error.code ?? ""}: `, h("bdi", {}, error.message)),
        );
      }),
    ),
    nextLink &&
      act("Show more nodes", () => showPoolNodes(pool, nextPath(path, nextLink), nodes), {
        class: "more",
        "data-focus": "more nodes",
      }),
  );
  return "";
}
