// Which jobs, why, since when.

import { h, mount, OUTCOMES, part } from "./elements.js";
import { capital, count, lasting, moment, tracked } from "./words.js";
import { go, readAddress } from "./address.js";
import { rounds } from "./api.js";
import { link } from "./parts.js";
import { onlyAccount, picksJobs, side } from "./lists.js";

/** @param {JobView} job */
const hasTrouble = (job) =>
  job.stuck ||
  job.error ||
  job.preparation.open ||
  job.preparation.slow ||
  job.release.failed ||
  job.tracking === "unreachable";

/** How the list can be sorted; without a word it comes as the app orders it. @type {Record<string, [string, (one: JobView, other: JobView) => number]>} */
const ORDERS = {
  "": ["Worst first", () => 0],
  longest: ["Longest in trouble", (one, other) => (one.since ?? "~").localeCompare(other.since ?? "~")],
  changed: ["Last changed", (one, other) => (other.changedAt ?? "").localeCompare(one.changedAt ?? "")],
  name: ["Job id", (one, other) => one.jobId.localeCompare(other.jobId)],
};

/**
 * @param {SummaryView} summary
 * @param {Address} at
 */
function wantedJobs(summary, { q, show, sort }) {
  const text = q.trim().toLowerCase();
  const matches = (/** @type {JobView} */ job) =>
    !text ||
    side.found.includes(job.jobId) ||
    [job.jobId, job.account, job.poolId ?? "", ...job.causes.flatMap((cause) => [cause.code, cause.message])].some(
      (one) => one.toLowerCase().includes(text),
    );
  const only = onlyAccount(summary);
  const jobs = summary.value.filter(
    (job) => (!only || job.account === only) && (show !== "trouble" || hasTrouble(job)) && matches(job),
  );
  return sort in ORDERS ? jobs.sort(ORDERS[sort][1]) : jobs;
}

/** @param {SummaryView} summary */
export function showJobs(summary) {
  const at = readAddress();
  const section = part("jobs");
  section.hidden = Boolean(at.job);
  if (at.job) return;
  const jobs = wantedJobs(summary, at);
  const only = onlyAccount(summary);
  const facts = [jobs, only, at.q, at.show, at.sort, side.jobs, summary.value.length, summary.accounts.length];
  mount("jobs", [...facts, summary.nextLink], () => [
    h(
      "div",
      { class: "head" },
      h("h2", { id: "jobs-title" }, "Jobs"),
      choice("show", "Which jobs", at.show, [
        ["", "All jobs"],
        ["trouble", "In trouble"],
      ]),
      choice(
        "sort",
        "Order of jobs",
        at.sort,
        Object.entries(ORDERS).map(([name, [words]]) => [name, words]),
      ),
      h("input", {
        type: "search",
        placeholder: "Job, pool, node, cause",
        "aria-label": "Filter by job, pool, node or cause",
        value: at.q,
        "data-focus": "q",
        input: (event) => go({ q: event.target.value }, true),
      }),
    ),
    only &&
      h(
        "p",
        { class: "only" },
        `Only jobs of ${only}. `,
        h("button", { class: "link", type: "button", click: () => go({ account: "" }) }, "Show all accounts"),
      ),
    jobs.some((job) => job.nodes > 0) && barLegend(),
    jobs.length === 0 && nothing(summary, at),
    h(
      "ul",
      { class: "list" },
      jobs.slice(0, side.jobs).map((job) => jobItem(job, summary.accounts.length > 1)),
    ),
    (jobs.length > side.jobs || (summary.nextLink && !picksJobs(summary))) &&
      h(
        "p",
        { class: "soft more" },
        `${Math.min(side.jobs, jobs.length).toLocaleString("en")} of ${(summary.nextLink ? summary.totals.jobs : jobs.length).toLocaleString("en")} are shown. `,
        h("button", { type: "button", class: "small", "data-focus": "more jobs", click: moreJobs }, "Show more jobs"),
      ),
  ]);
}

function moreJobs() {
  side.jobs += 200;
  rounds.refresh();
  rounds.reread();
}

/**
 * @param {"show" | "sort"} name
 * @param {string} label
 * @param {string} chosen_
 * @param {string[][]} options
 */
function choice(name, label, chosen_, options) {
  return h(
    "select",
    { "aria-label": label, "data-focus": name, change: (event) => go({ [name]: event.target.value }, true) },
    options.map(([value, words]) => h("option", { value, selected: value === chosen_ }, words)),
  );
}

/** What the bars say: the upper one preparation, the lower one release. */
function barLegend() {
  const sample = (/** @type {string} */ kind, /** @type {string} */ words) =>
    h("span", {}, h("i", { class: `swatch bar ${kind}` }, h("i", { class: kind })), words);
  return h(
    "p",
    { class: "legend bars" },
    "Bars: nodes by preparation, below it by release.",
    sample("failed", "failed"),
    sample("running", "running or retrying"),
    sample("unknown", "unknown"),
    sample("succeeded", "succeeded"),
  );
}

/**
 * @param {SummaryView} summary
 * @param {Address} at
 */
function nothing(summary, at) {
  if (at.q || at.show || onlyAccount(summary)) {
    if (summary.nextLink) return h("p", { class: "empty" }, "Looking through all jobs…");
    return h(
      "p",
      { class: "empty" },
      h("strong", {}, "No job matches."),
      h(
        "button",
        { class: "link", type: "button", click: () => go({ q: "", show: "", account: "" }) },
        "Show all jobs",
      ),
    );
  }
  const polled = summary.accounts.some((account) => account.lastGoodPoll);
  return polled
    ? h(
        "p",
        { class: "empty" },
        h("strong", {}, "No job is known yet."),
        "Jobs with a preparation task are listed within one poll of being created. The diagnostics under Prepwatch health",
        " say whether the setting TRACKED_JOBS leaves out all that there are.",
      )
    : h(
        "p",
        { class: "empty" },
        h("strong", {}, "No account has been polled yet."),
        "If this lasts, run the diagnostics under Prepwatch health: they say what is missing.",
      );
}

/**
 * @param {Record<string, number | undefined>} counts
 * @param {string} words
 */
function bar(counts, words) {
  const parts = ["failed", "retrying", "running", "unknown", "succeeded"].filter((name) => counts[name]);
  const lengths = parts.map((name) => {
    const length = h("i", { class: name });
    length.style.flexGrow = String(counts[name]);
    return length;
  });
  return h("div", { class: "bar", role: "img", "aria-label": words }, lengths);
}

/** @param {Record<string, number | undefined>} counts */
const hasRun = (counts) => Object.keys(OUTCOMES).some((name) => counts[name]);

/** @param {Record<string, number | undefined>} counts */
export function inWords(counts) {
  const parts = Object.keys(OUTCOMES)
    .filter((name) => counts[name])
    .map((name) => `${counts[name]?.toLocaleString("en")} ${OUTCOMES[name][2]}`);
  return parts.join(", ") || "has not run";
}

/** @param {CauseView} cause */
function causeLine(cause) {
  return h(
    "p",
    { class: "why" },
    h("b", {}, cause.code || "Failed"),
    ` on ${count(cause.nodes, "node")}${cause.phase === "release" ? " (release)" : ""}: `,
    h("bdi", {}, cause.message),
  );
}

/** @param {JobView} job */
export function jobTags(job) {
  return [
    job.stuck && h("span", { class: "tag bad" }, `stands still: ${job.stuck.why}`),
    job.stuck?.standing &&
      !job.preparation.open && // else they are idle and look as if they could work
      h("span", { class: "tag" }, `nodes: ${job.stuck.standing}`),
    job.preparation.slow > 0 &&
      h("span", { class: "tag warn" }, `preparation takes too long on ${count(job.preparation.slow, "node")}`),
    job.error && h("span", { class: "tag warn" }, job.error.code),
    job.tracking !== "watching" && h("span", { class: "tag" }, tracked(job)),
    job.state && job.state !== "active" && job.tracking !== "settled" && h("span", { class: "tag" }, job.state),
  ].filter(Boolean);
}

/**
 * What is wrong with a job and for how long, the worst of it; null when nothing is. `job.since` goes by the same order.
 * @param {JobView} job
 */
export function troubleFor(job) {
  const words = job.stuck
    ? "standing still"
    : job.preparation.open
      ? "failing"
      : job.error
        ? "unreachable"
        : job.release.failed
          ? "failing to release"
          : "";
  if (!words) return null;
  return job.since ? [words, " for ", lasting(job.since)] : [words];
}

/** How bad it is: all nodes of a job are another matter than some. @param {JobView} job */
function failedWords(job) {
  const failed = job.preparation.open || job.release.failed;
  if (!failed) return count(job.nodes, "node");
  const verb = job.preparation.open ? "failed" : "failed to release";
  if (failed >= job.nodes) return job.nodes === 1 ? `its only node ${verb}` : `all ${count(job.nodes, "node")} ${verb}`;
  return `${failed.toLocaleString("en")} of ${count(job.nodes, "node")} ${verb}`;
}

/**
 * @param {JobView} job
 * @param {boolean} several
 */
function jobItem(job, several) {
  const failed = job.preparation.open || job.release.failed;
  const tags = jobTags(job);
  const trouble = troubleFor(job);
  return h(
    "li",
    { class: "job" },
    link(
      { account: job.account, job: job.jobId },
      { class: "name id", "data-focus": `job ${job.account} ${job.jobId}` },
      job.jobId,
    ),
    (tags.length > 0 || several || job.poolId) &&
      h(
        "p",
        { class: "meta small soft" },
        tags.flatMap((tag) => [tag, " "]),
        several && [h("span", { class: "whole" }, job.account), " "],
        job.poolId && h("span", { class: "whole" }, job.poolId),
      ),
    job.error && h("p", { class: "why", dir: "auto" }, job.error.message),
    job.causes.slice(0, 2).map(causeLine),
    job.causes.length > 2 && h("p", { class: "why" }, `and ${count(job.causes.length - 2, "other cause")}`),
    (job.nodes > 0 || trouble) &&
      h(
        "div",
        { class: "side" },
        job.nodes > 0 &&
          h("div", { class: `big${failed ? " bad-ink" : ""}${failed >= job.nodes ? " all" : ""}` }, failedWords(job)),
        h("div", { class: "since" }, trouble ?? ["changed ", moment(job.changedAt)]),
        job.nodes > 0 && bar(job.preparation, `Preparation: ${inWords(job.preparation)}`),
        hasRun(job.release) && bar(job.release, `Release: ${inWords(job.release)}`),
      ),
  );
}
