"use strict";
// One job: why its nodes fail and what to do, the map of its nodes, and the same as a table.

const MOST_SHOWN_NODES = 50;
const RANK = ["failed", "retrying", "unknown", "running", "succeeded"];
const chosen = { of: "", seen: "", nodes: [], loading: false, trouble: "", map: null, outcome: "", more: MOST_SHOWN_NODES };

function worst(node) {
  if (node.open) return -1;
  const ranks = outcomes(node).map((name) => (name ? RANK.indexOf(name) : RANK.length));
  return Math.min(...ranks);
}

function findJob(summary) {
  const at = readAddress();
  return summary.value.find((job) => job.jobId.toLowerCase() === at.job.toLowerCase() && (!at.account || job.account === at.account.toLowerCase()));
}

/** Read the job's nodes again when the summary says that something has changed. */
async function readNodes(job) {
  const of = `${job.account} ${job.jobId}`;
  const seen = JSON.stringify([of, job.changedAt, job.preparation, job.release]);
  if (chosen.seen === seen || chosen.loading) return;
  if (chosen.of !== of) Object.assign(chosen, { of, nodes: [], outcome: "", more: MOST_SHOWN_NODES });
  Object.assign(chosen, { seen, loading: true, trouble: "" });
  const first = chosen.nodes.length === 0;
  try {
    await getAll(nodesPath(job.jobId, query({ account: job.account, top: 1000 })), (nodes) => {
      if (chosen.of !== of || readAddress().job.toLowerCase() !== job.jobId.toLowerCase()) return false;
      chosen.all = nodes;
      if (first) takeNodes();
      return true;
    });
    if (chosen.all && chosen.of === of) takeNodes();
  } catch (error) {
    Object.assign(chosen, { trouble: error.message, seen: "" });
  } finally {
    chosen.loading = false;
  }
  refreshView();
}

function takeNodes() {
  chosen.nodes = chosen.all;
  chosen.map?.show(chosen.nodes, `Map of ${count(chosen.nodes.length, "node")}.`);
}

/** An id that gives up its middle when there is no room, and is whole when it is copied. */
function longId(id) {
  if (id.length < 24) return id;
  return [h("span", { class: "start" }, id.slice(0, -8)), h("span", { class: "end" }, id.slice(-8))];
}

function openNode(node) {
  go({ pool: node.poolId, node: node.nodeId });
}

function showJob(summary) {
  const at = readAddress();
  const section = document.getElementById("job");
  section.hidden = !at.job;
  if (!at.job) { shown.delete("job"); Object.assign(chosen, { of: "", seen: "", map: null }); return; }
  const job = findJob(summary);
  if (!job) {
    mount("job", [at.job, at.account], () => [crumb(), h("p", { class: "empty" }, h("strong", {}, `There is no job ${at.job} here.`), "It may have been deleted and forgotten, its id may be spelled differently, or it is not watched.")]);
    return;
  }
  readNodes(job);
  const scrolled = chosen.map?.element.scrollTop;
  mount("job", [job, chosen.nodes.length, chosen.trouble, chosen.outcome, chosen.more, chosen.loading && !chosen.nodes.length, nodesMark()], () => jobView(job));
  if (scrolled) chosen.map.element.scrollTop = scrolled;  // a list that is put in anew begins at its top
}

const nodesMark = () => chosen.nodes.map((node) => outcomes(node).join("") + (node.open ? "!" : "")).join(" ");

function crumb() {
  return h("p", { class: "crumb" }, link({ job: "", account: "", node: "", pool: "" }, { "data-focus": "crumb" }, "← All jobs"));
}

function jobView(job) {
  const trouble = troubleFor(job);
  return [
    crumb(),
    h("div", { class: "job-title" }, h("h2", { class: "id" }, job.jobId), jobTags(job), h("div", { class: "acts" }, muteButton(job.jobId))),
    h("p", { class: "soft" }, `${capital(job.state ?? "unknown")}, ${TRACKING[job.tracking] ?? job.tracking}, on ${job.account}. `, trouble && [h("b", { class: "bad-ink" }, job.since ? "It has been " : "It is ", trouble), ". "], "Changed ", moment(job.changedAt), "."),
    job.error && h("p", { class: "trouble block" }, `${job.error.code}: ${job.error.message}`, job.error.requestId && ` (request ${job.error.requestId})`),
    job.causes.length > 0 && h("div", { class: "block" }, h("h3", {}, "Why"), h("ul", {}, job.causes.map(causeCard))),
    nodesBlock(job),
  ];
}

function causeCard(cause) {
  const todo = advice(cause.code);
  return h("li", { class: "cause" },
    h("div", { class: "first-line" }, h("b", {}, cause.code || "Failed"), h("span", { class: "soft nowrap" }, `${cause.phase}, ${count(cause.nodes, "node")}`)),
    h("p", {}, cause.message),
    todo && h("p", { class: "do" }, todo));
}

function underWords(node) {
  return node ? `${node.nodeId}: preparation ${node.preparation?.outcome ?? "not run"}, release ${node.release?.outcome ?? "not run"}` : "\u00a0";
}

function nodesBlock(job) {
  if (chosen.trouble) return h("p", { class: "trouble block" }, `The nodes can't be listed: ${chosen.trouble}`);
  if (!chosen.nodes.length) {
    return h("p", { class: "empty" }, chosen.loading ? "Reading its nodes…" : job.tracking === "noPreparationTask" ? [h("strong", {}, "This job has no preparation task."), "So there is nothing to watch on its nodes."] : [h("strong", {}, "No node yet."), "Nodes show up once they have begun to prepare for this job."]);
  }
  chosen.map ??= new NodeMap(openNode, (node) => { document.getElementById("under").textContent = underWords(node); });
  chosen.map.show(chosen.nodes, `Map of ${count(chosen.nodes.length, "node")}: preparation ${inWords(job.preparation)}; release ${inWords(job.release)}.`);
  return [
    h("div", { class: "block" }, h("h3", {}, count(chosen.nodes.length, "node")), chosen.map.element, mapLegend(), h("p", { id: "under", class: "under", "aria-live": "polite" }, underWords(chosen.map.nodes[chosen.map.cursor]))),
    h("div", { class: "block" }, nodesTable()),
  ];
}

function nodesTable() {
  const wanted = chosen.nodes.filter((node) => !chosen.outcome || outcomes(node).includes(chosen.outcome)).sort((one, other) => worst(one) - worst(other));
  const choose = (event) => { Object.assign(chosen, { outcome: event.target.value, more: MOST_SHOWN_NODES }); refreshView(); };
  return [
    h("div", { class: "head" }, h("h3", { id: "nodes-title" }, "Nodes, worst first"),
      h("select", { "aria-label": "Which nodes", "data-focus": "outcome", change: choose }, [["", "All outcomes"], ...Object.entries(OUTCOMES).map(([name, [, , words]]) => [name, capital(words)])].map(([value, words]) => h("option", { value, selected: value === chosen.outcome }, words)))),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "nodes-title", "data-focus": "scroll" }, h("table", { "aria-labelledby": "nodes-title" },
      h("thead", {}, h("tr", {}, ["Node", "Preparation", "Release", "Why"].map((words) => h("th", { scope: "col" }, words)))),
      h("tbody", {}, wanted.slice(0, chosen.more).map(nodeRow)))),
    wanted.length === 0 && h("p", { class: "empty" }, "No node has that outcome."),
    wanted.length > chosen.more && h("button", { type: "button", class: "more", "data-focus": "more", click: () => { chosen.more += 200; refreshView(); } }, `Show more of ${wanted.length.toLocaleString("en")}`),
  ];
}

function nodeRow(node) {
  const failed = [node.preparation, node.release].find((phase) => phase?.outcome === "failed")?.execution;
  const why = failed ? failed.failureInfo?.code ?? (failed.exitCode === undefined ? "failed" : `exit code ${failed.exitCode}`) : "";
  return h("tr", {},
    h("td", {}, h("button", { type: "button", class: "link id long", "data-focus": `node ${node.poolId} ${node.nodeId}`, click: () => openNode(node), title: node.nodeId, "aria-label": node.nodeId }, longId(node.nodeId)), h("div", { class: "soft small" }, node.poolId)),
    h("td", {}, outcome(node.preparation?.outcome)), h("td", {}, outcome(node.release?.outcome)), h("td", {}, why));
}
