// The first things asked: is anything wrong, and which jobs, why, since when.

import { h, icon, mount, OUTCOMES, part } from "./elements.js";
import { capital, count, lasting, moment } from "./words.js";
import { go, readAddress } from "./address.js";
import { link } from "./parts.js";

/** @type {Record<string, Look>} */
export const VERDICTS = {
  ok: ["ok", "good-ink", "All is well"],
  failing: ["failing", "bad-ink", "Nodes are failing"],
  degraded: ["degraded", "warn-ink", "Something is in trouble"],
  stale: ["stale", "warn-ink", "What you see may be old"],
};
/** @type {Record<string, string>} */
export const TRACKING = {
  watching: "watched",
  settled: "over",
  noPreparationTask: "has no preparation task",
  gone: "gone",
  unreachable: "can't be looked at",
  stopped: "left alone",
};

/**
 * @param {SummaryView | null} summary
 * @param {string} connection
 */
export function showStatus(summary, connection) {
  mount(
    "status",
    [summary && [summary.status, summary.reasons, summary.totals, summary.deliveries], connection],
    () => {
      if (!summary) {
        return h(
          "div",
          { class: "verdict" },
          icon("degraded", "warn-ink"),
          h("div", {}, h("h1", {}, "Nothing is known"), h("p", { class: "reasons" }, connection)),
        );
      }
      const [shape, kind, words] = VERDICTS[summary.status] ?? ["degraded", "warn-ink", summary.status];
      const reasons = summary.reasons.length
        ? summary.reasons
        : ["No failure is open, every account was looked at in time, and every delivery has arrived or is on its way."];
      return [
        h(
          "div",
          { class: "verdict" },
          icon(shape, kind),
          h(
            "div",
            {},
            h("h1", {}, words),
            h(
              "ul",
              { class: "reasons" },
              reasons.map((reason) => h("li", {}, `${capital(reason)}.`.replace(/\.\.$/, "."))),
            ),
          ),
        ),
        figures(summary),
        connection && h("p", { class: "note", role: "alert" }, connection),
      ];
    },
  );
}

/** @param {SummaryView} summary */
function figures(summary) {
  const { totals, deliveries } = summary;
  const one = (/** @type {number} */ number, /** @type {string} */ words, bad = false) =>
    h("div", { class: bad && number ? "bad" : "" }, h("dt", {}, words), h("dd", {}, number.toLocaleString("en")));
  return h(
    "dl",
    { class: "figures" },
    one(totals.jobs, totals.jobs === 1 ? "job" : "jobs"),
    one(totals.nodes, totals.nodes === 1 ? "node" : "nodes"),
    one(totals.preparation.open ?? 0, "can't take tasks", true),
    one(totals.release.failed ?? 0, "failed to release", true),
    one(deliveries.due, "messages waiting"),
    one(deliveries.dead, "given up", true),
  );
}

/** @param {JobView} job */
const hasTrouble = (job) =>
  job.stuck || job.error || job.preparation.open || job.release.failed || job.tracking === "unreachable";

/**
 * @param {SummaryView} summary
 * @param {Address} at
 */
function wantedJobs(summary, { q, show }) {
  const text = q.trim().toLowerCase();
  const matches = (/** @type {JobView} */ job) =>
    !text ||
    [job.jobId, job.account, ...job.causes.flatMap((cause) => [cause.code, cause.message])].some((one) =>
      one.toLowerCase().includes(text),
    );
  return summary.value.filter((job) => (show !== "trouble" || hasTrouble(job)) && matches(job));
}

const MOST_SHOWN_JOBS = 200;

/** @param {SummaryView} summary */
export function showJobs(summary) {
  const at = readAddress();
  const section = part("jobs");
  section.hidden = Boolean(at.job);
  if (at.job) return;
  const jobs = wantedJobs(summary, at);
  mount("jobs", [jobs, at.q, at.show, summary.value.length, summary.accounts.length, summary.nextLink], () => [
    h(
      "div",
      { class: "head" },
      h("h2", { id: "jobs-title" }, "Jobs"),
      h(
        "select",
        { "aria-label": "Which jobs", "data-focus": "show", change: (event) => go({ show: event.target.value }, true) },
        [
          ["", "All jobs"],
          ["trouble", "In trouble"],
        ].map(([value, words]) => h("option", { value, selected: value === at.show }, words)),
      ),
      h("input", {
        type: "search",
        placeholder: "Job or cause",
        "aria-label": "Filter by job or cause",
        value: at.q,
        "data-focus": "q",
        input: (event) => go({ q: event.target.value }, true),
      }),
    ),
    jobs.length === 0 && nothing(summary, at),
    h(
      "ul",
      { class: "list" },
      jobs.slice(0, MOST_SHOWN_JOBS).map((job) => jobItem(job, summary.accounts.length > 1)),
    ),
    jobs.length > MOST_SHOWN_JOBS &&
      h("p", { class: "soft more" }, `${count(jobs.length - MOST_SHOWN_JOBS, "job")} more: filter to see them.`),
    summary.nextLink &&
      h(
        "p",
        { class: "soft more" },
        `The worst ${count(summary.value.length, "job")} of ${summary.totals.jobs.toLocaleString("en")} are listed.`,
      ),
  ]);
}

/**
 * @param {SummaryView} summary
 * @param {Address} at
 */
function nothing(summary, at) {
  if (at.q || at.show) {
    return h(
      "p",
      { class: "empty" },
      h("strong", {}, "No job matches."),
      h("button", { class: "link", type: "button", click: () => go({ q: "", show: "" }) }, "Show all jobs"),
    );
  }
  const polled = summary.accounts.some((account) => account.lastGoodPoll);
  return polled
    ? h(
        "p",
        { class: "empty" },
        h("strong", {}, "No job is known yet."),
        "Jobs with a preparation task show up here by themselves within one poll of being created. TRACKED_JOBS says which are watched.",
      )
    : h(
        "p",
        { class: "empty" },
        h("strong", {}, "No account has been polled yet."),
        "If this stays so, check permissions below: Prepwatch itself says what is missing.",
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
    ` on ${count(cause.nodes, "node")}${cause.phase === "release" ? " (release)" : ""}: ${cause.message}`,
  );
}

/** @param {JobView} job */
export function jobTags(job) {
  return [
    job.stuck && h("span", { class: "tag bad" }, "stuck: no node can take its tasks"),
    job.error && h("span", { class: "tag warn" }, job.error.code),
    job.tracking !== "watching" && h("span", { class: "tag" }, TRACKING[job.tracking] ?? job.tracking),
    job.state && job.state !== "active" && h("span", { class: "tag" }, job.state),
  ].filter(Boolean);
}

/**
 * What is wrong with a job and for how long, the worst of it; null when nothing is. `job.since` goes by the same order.
 * @param {JobView} job
 */
export function troubleFor(job) {
  const words = job.stuck
    ? "stuck"
    : job.preparation.open
      ? "failing"
      : job.error
        ? "out of reach"
        : job.release.failed
          ? "failing to release"
          : "";
  if (!words) return null;
  return job.since ? [words, " for ", lasting(job.since)] : [words];
}

/** @param {JobView} job */
function failedWords(job) {
  const many = count(job.nodes, "node");
  if (job.preparation.open) return `${job.preparation.open.toLocaleString("en")} of ${many} failed`;
  return job.release.failed ? `${job.release.failed.toLocaleString("en")} of ${many} failed to release` : many;
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
    (tags.length > 0 || several) &&
      h(
        "p",
        { class: "meta small soft" },
        tags.flatMap((tag) => [tag, " "]),
        several && job.account,
      ),
    job.error && h("p", { class: "why" }, job.error.message),
    job.causes.slice(0, 2).map(causeLine),
    job.causes.length > 2 && h("p", { class: "why" }, `and ${count(job.causes.length - 2, "other cause")}`),
    (job.nodes > 0 || trouble) &&
      h(
        "div",
        { class: "side" },
        job.nodes > 0 && h("div", { class: failed ? "big bad-ink" : "big" }, failedWords(job)),
        h("div", { class: "since" }, trouble ?? ["changed ", moment(job.changedAt)]),
        job.nodes > 0 && bar(job.preparation, `Preparation: ${inWords(job.preparation)}`),
        hasRun(job.release) && bar(job.release, `Release: ${inWords(job.release)}`),
      ),
  );
}
