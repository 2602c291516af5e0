// One job: why its nodes fail and what to do, the map of its nodes, and the same as a table.

import { h, mount, part, shown } from "./elements.js";
import { advice, capital, count, moment, tracked } from "./words.js";
import { readAddress } from "./address.js";
import { command, copyButton, link, portalLink } from "./parts.js";
import { mapLegend, NodeMap } from "./nodemap.js";
import { inWords, jobTags, troubleFor } from "./overview.js";
import { knowsMutes, muteButton } from "./notifications.js";
import { chosen, nodesMark, nodesTable, openNode, readNodes } from "./nodes.js";

/** @param {SummaryView} summary */
export function findJob(summary) {
  const at = readAddress();
  return summary.value.find(
    (job) =>
      job.jobId.toLowerCase() === at.job.toLowerCase() && (!at.account || job.account === at.account.toLowerCase()),
  );
}

/** @param {SummaryView} summary */
export function showJob(summary) {
  const at = readAddress();
  const section = part("job");
  section.hidden = !at.job;
  if (!at.job) {
    shown.delete("job");
    Object.assign(chosen, { of: "", seen: "", map: null });
    return;
  }
  const job = findJob(summary);
  if (!job) {
    mount("job", [at.job, at.account], () => [
      crumb(),
      h(
        "p",
        { class: "empty" },
        h("strong", {}, `There is no job '${at.job}'${at.account && ` in ${at.account}`}.`),
        "It may have been deleted and forgotten, its id may be spelled differently, or it is not watched.",
      ),
    ]);
    return;
  }
  readNodes(job);
  const scrolled = chosen.map?.element.scrollTop;
  const account = summary.accounts.find((one) => one.account === job.account);
  mount(
    "job",
    [
      job,
      account?.portalUrl,
      chosen.nodes.length,
      chosen.trouble,
      [chosen.outcome, chosen.order, chosen.text, chosen.more],
      chosen.loading && !chosen.nodes.length,
      nodesMark(),
      knowsMutes(),
    ],
    () => jobView(job, account?.portalUrl),
  );
  if (scrolled && chosen.map) chosen.map.element.scrollTop = scrolled; // a list that is put in anew begins at its top
}

function crumb() {
  return h(
    "p",
    { class: "crumb" },
    link({ job: "", account: "", node: "", pool: "" }, { "data-focus": "crumb" }, "← All jobs"),
  );
}

/**
 * @param {JobView} job
 * @param {string | null | undefined} portalUrl
 */
function jobView(job, portalUrl) {
  const trouble = troubleFor(job);
  const causes = job.causes.length ? job.causes : causesOfNodes();
  const ownCause = causes.find((one) => one.code === job.stuck?.cause?.code && one.message === job.stuck.cause.message);
  const others = causes.filter((one) => one !== ownCause);
  return [
    crumb(),
    h(
      "div",
      { class: "job-title" },
      h("h2", { class: "id" }, job.jobId),
      jobTags(job),
      h("div", { class: "acts" }, copyButton(location.href, "link to this job", "Copy link"), muteButton(job.jobId)),
    ),
    h(
      "p",
      { class: "soft" },
      `${capital(job.state ?? "unknown")}, ${tracked(job)}, on `,
      portalLink(portalUrl, job.account),
      `${job.poolId ? `, pool ${job.poolId}` : ""}. `,
      trouble && [h("b", { class: "bad-ink" }, job.since ? "It has been " : "It is ", trouble), ". "],
      "Changed ",
      moment(job.changedAt),
      ".",
    ),
    job.error &&
      h(
        "p",
        { class: "trouble block" },
        `${job.error.code}: `,
        h("bdi", {}, job.error.message),
        job.error.requestId && ` (request ${job.error.requestId})`,
      ),
    job.stuck && stuckBlock(job.stuck, ownCause),
    others.length > 0 &&
      h("div", { class: "block" }, h("h3", {}, ownCause ? "Also failed" : "Why"), h("ul", {}, others.map(causeCard))),
    nodesBlock(job),
  ];
}

/**
 * Why a job stands still, how much waits for it, and what to do.
 * @param {StuckView} stuck
 * @param {CauseView | undefined} ownCause the cause of the job's that keeps it from moving, if one of them does
 */
function stuckBlock(stuck, ownCause) {
  const { cause } = stuck;
  const where = ownCause ? ` on ${count(ownCause.nodes, "node")}` : "";
  const first = ownCause && advice(ownCause.code);
  return h(
    "div",
    { class: "block" },
    h("h3", {}, "Why it stands still"),
    h(
      "div",
      { class: "cause" },
      h(
        "div",
        { class: "first-line" },
        h("b", {}, capital(stuck.why)),
        h("span", { class: "soft nowrap" }, `${count(stuck.tasks, "task")} waiting`),
      ),
      cause &&
        h("p", {}, [cause.code && h("b", {}, cause.code), where, cause.code && ": ", h("bdi", {}, cause.message)]),
      stuck.standing && h("p", { class: "small soft" }, `Nodes of ${stuck.poolId ?? "the pool"}: ${stuck.standing}.`),
      first && h("p", { class: "do" }, first),
      stuck.command && command(stuck.command, "command for this standstill"),
      h("p", { class: "do" }, stuck.remedy),
      stuck.afterwards && [
        h("p", { class: "small soft" }, "Once that is mended, this removes the nodes on which preparation failed:"),
        command(stuck.afterwards, "command that removes the nodes"),
        h("p", { class: "small soft" }, "A pool that does not scale by itself has to be resized after it."),
      ],
    ),
  );
}

/** Why nodes failed, by what Batch said of them: a job that is over has no open causes any more. @returns {CauseView[]} */
function causesOfNodes() {
  /** @type {Map<string, CauseView>} */
  const found = new Map();
  for (const node of chosen.nodes)
    for (const [phase, run] of /** @type {const} */ ([
      ["preparation", node.preparation],
      ["release", node.release],
    ])) {
      if (run?.outcome !== "failed") continue;
      const { code, message } = run.cause ?? { code: "", message: "" };
      const key = `${phase} ${code} ${message}`;
      const known = found.get(key) ?? { phase, code, message, nodes: 0, command: null };
      found.set(key, { ...known, nodes: known.nodes + 1 });
    }
  return [...found.values()].sort((one, other) => other.nodes - one.nodes).slice(0, 20);
}

/** @param {CauseView} cause */
export function causeCard(cause) {
  const todo = advice(cause.code);
  return h(
    "li",
    { class: "cause" },
    h(
      "div",
      { class: "first-line" },
      h("b", {}, cause.code || "Failed"),
      h("span", { class: "soft nowrap" }, `${cause.phase}, ${count(cause.nodes, "node")}`),
    ),
    h("p", { dir: "auto" }, cause.message),
    todo && h("p", { class: "do" }, todo),
    cause.command && command(cause.command, `command for ${cause.code || "the failure"}`),
  );
}

/** @param {NodeView | undefined} node */
function underWords(node) {
  return node
    ? `${node.nodeId}: preparation ${node.preparation?.outcome ?? "not run"}, release ${node.release?.outcome ?? "not run"}`
    : "\u00a0";
}

/** @param {JobView} job */
function nodesBlock(job) {
  if (chosen.trouble) return h("p", { class: "trouble block" }, `The nodes can't be listed: ${chosen.trouble}`);
  if (!chosen.nodes.length) {
    return h(
      "p",
      { class: "empty" },
      chosen.loading
        ? "Reading its nodes…"
        : job.tracking === "noPreparationTask"
          ? [h("strong", {}, "This job has no preparation task."), "So there is nothing to watch on its nodes."]
          : [h("strong", {}, "No node yet."), "Nodes show up once they have begun to prepare for this job."],
    );
  }
  const map = (chosen.map ??= new NodeMap(openNode, (node) => {
    part("under").textContent = underWords(node);
  }));
  map.show(
    chosen.nodes,
    `Map of ${count(chosen.nodes.length, "node")}: preparation ${inWords(job.preparation)}; release ${inWords(job.release)}.`,
  );
  return [
    h(
      "div",
      { class: "block" },
      h("h3", {}, count(chosen.nodes.length, "node")),
      map.element,
      mapLegend(),
      h("p", { id: "under", class: "under", "aria-live": "polite" }, underWords(map.nodes[map.cursor])),
    ),
    h("div", { class: "block" }, nodesTable()),
  ];
}
