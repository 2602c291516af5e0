// Numbers, moments and events in words.

import { h, part } from "./elements.js";

/**
 * @param {number} number
 * @param {string} one
 */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/**
 * A text in which no line ends within what the pattern finds, such as a date; it has one group, for all of that.
 * @param {string} text
 * @param {RegExp} pattern
 */
export function unbroken(text, pattern) {
  return text.split(pattern).map((piece, number) => (number % 2 ? h("span", { class: "nowrap" }, piece) : piece));
}

/** @type {[string, number][]} */
const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

/** @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  for (const [word, size] of UNITS) if (whole >= size) return count(Math.floor(whole / size), word);
  return count(whole, "second");
}

/** @param {string} text */
export function ago(text) {
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  if (seconds < -60) return `in ${duration(-seconds)}`;
  return seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}

const PRECISE = new Intl.DateTimeFormat("en-GB", {
  ...{ day: "numeric", month: "short", year: "numeric" },
  ...{ hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" },
});

/**
 * A moment, said relative to now and kept true by `ageing`; precise on hover.
 * @param {string | null | undefined} text
 */
export function moment(text, missing = "unknown") {
  if (!text) return h("span", {}, missing);
  return h("time", { datetime: text, title: PRECISE.format(new Date(text)) }, ago(text));
}

/**
 * For how long something goes on that began at a moment; kept true by `ageing`, the moment on hover.
 * @param {string} text
 */
export function lasting(text) {
  return h(
    "time",
    { datetime: text, title: `since ${PRECISE.format(new Date(text))}`, "data-lasting": true },
    lasts(text),
  );
}

/** @param {string} text */
function lasts(text) {
  return duration((Date.now() - Date.parse(text)) / 1000);
}

export function ageing() {
  for (const element of document.querySelectorAll("time[datetime]:not([data-fixed])")) {
    const text = element.getAttribute("datetime") ?? "";
    const words = element.hasAttribute("data-lasting") ? lasts(text) : ago(text);
    if (element.textContent !== words) element.textContent = words;
  }
}

/** @param {string} text */
export function clockTime(text) {
  const time = new Date(text);
  const words = time.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  return h("time", { datetime: text, title: PRECISE.format(time), "data-fixed": true }, words);
}

/**
 * What the app itself put into the page: what to do by a failure's code, states of nodes in words, and the formats of
 * chat and pager, which get messages about jobs where others get events.
 * @type {{ advice: Record<string, string>, nodeStates: Record<string, string>, stateFormats: string[] }}
 */
export const KNOWN = JSON.parse(part("known").textContent ?? "");

/**
 * @param {string} code
 * @returns {string | undefined}
 */
export function advice(code) {
  return KNOWN.advice[code.toLowerCase()];
}

/** A state of nodes in words. @param {string | null | undefined} state */
export function stateInWords(state) {
  return KNOWN.nodeStates[(state ?? "").toLowerCase()] ?? state ?? "unknown";
}

/** @param {string} text */
export function capital(text) {
  // The name of a host stays as it is.
  return /^[a-z]+\.[a-z]/.test(text) || !text ? text : text[0].toUpperCase() + text.slice(1);
}

/** @type {Record<string, string>} */
const TRACKING = {
  watching: "watched",
  settled: "finished",
  noPreparationTask: "has no preparation task",
  gone: "gone",
  unreachable: "can't be read",
  stopped: "not watched",
};

/** Whether a job is watched, in words. @param {JobView} job */
export function tracked(job) {
  // Only what is completed is over; what runs on is not read any more because the settings do not name it.
  if (job.tracking === "settled" && job.state !== "completed") return "left out by TRACKED_JOBS";
  return TRACKING[job.tracking] ?? job.tracking;
}

/** @type {Record<string, Look>} */
const KINDS = {
  "preparation.failed": ["failing", "bad-ink", "Preparation failed"],
  "preparation.resolved": ["ok", "good-ink", "Preparation resolved"],
  "preparation.slow": ["retrying", "warn-ink", "Preparation is slow"],
  "release.failed": ["failing", "bad-ink", "Release failed"],
  "node.failed": ["failing", "bad-ink", "Nodes can't work"],
  "node.recovered": ["ok", "good-ink", "Nodes can work again"],
  "job.stuck": ["failing", "bad-ink", "Job stands still"],
  "job.resumed": ["ok", "good-ink", "Job runs again"],
  "job.unreachable": ["degraded", "warn-ink", "Job can't be read"],
  "job.reachable": ["ok", "good-ink", "Job can be read again"],
  "job.gone": ["degraded", "warn-ink", "Job is gone"],
  "account.unreachable": ["degraded", "warn-ink", "Account can't be read"],
  "account.reachable": ["ok", "good-ink", "Account can be read again"],
  "webhook.failing": ["degraded", "warn-ink", "Webhook is failing"],
  "webhook.recovered": ["ok", "good-ink", "Webhook works again"],
  "webhook.disabled": ["degraded", "warn-ink", "Webhook is disabled"],
  "webhook.enabled": ["ok", "good-ink", "Webhook is enabled again"],
  ping: ["bell", "", "Ping"],
};

/** What is over, but was not mended: nothing green is shown for it. @type {Record<string, string>} */
const UNMENDED = {
  jobEnded: "the job ended",
  jobGone: "the job is gone",
  jobReplaced: "the job was created again",
  untracked: "the job is not watched any more",
  nodeLeft: "the nodes have left",
  removed: "they were removed",
  notWatched: "the pool is not watched any more",
};
const OVER = {
  preparation: "Preparation failures are closed",
  node: "Nodes are not watched any more",
  job: "Job is closed",
};

/**
 * Drawing, colour and words of an event.
 * @param {string} type
 * @param {unknown} [reason] the one that the event gives
 * @returns {Look}
 */
export function kindOf(type, reason) {
  const name = type.replace(/^prepwatch\./, "");
  const unmended = UNMENDED[String(reason)];
  if (unmended) return ["dot", "", `${OVER[/** @type {keyof OVER} */ (name.split(".")[0])] ?? name}: ${unmended}`];
  return KINDS[name] ?? ["bell", "", name];
}
