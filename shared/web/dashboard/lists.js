// The lists beside the jobs, as they were last read.

import { readAddress } from "./address.js";
import { get, messageOf, query } from "./api.js";

const TRENDS_EVERY = 60000;
const LEAST_SOUGHT = 6;

/** @type {Lists} */
export const side = {
  ...{
    webhooks: null,
    mutes: null,
    pools: null,
    events: null,
    trends: null,
    trendsOf: "",
    found: [],
    jobs: 200,
    seen: "",
  },
  ...{ trouble: {}, more: 12 },
};

/** The account whose jobs alone are listed; "" for all. @param {SummaryView | null} summary */
export function onlyAccount(summary) {
  const { account } = readAddress();
  return summary && summary.accounts.length > 1 ? account.toLowerCase() : "";
}

/**
 * Whether the jobs are to be searched or put in another order, which only tells the truth of all of them.
 * @param {SummaryView | null} summary
 */
export function picksJobs(summary) {
  const { job, q, show, sort } = readAddress();
  return !job && Boolean(q || show || sort || onlyAccount(summary));
}

/**
 * What a webhook is still to be told: deliveries, and how jobs and pools stand.
 * @param {WebhookView} hook
 */
export const waitingFor = ({ untold }) => untold.deliveries + untold.jobs + untold.pools;

/**
 * Read a list; what fails is said in its own section and keeps the others alive.
 * @param {"webhooks" | "mutes" | "events" | "pools"} name
 * @param {string} path
 */
async function readList(name, path) {
  try {
    side[name] = (await get(path)).value;
    delete side.trouble[name];
  } catch (error) {
    side.trouble[name] = messageOf(error);
  }
}

export function eventsPath() {
  const at = readAddress();
  return `events${query({ job: at.job, account: at.account, top: side.more })}`;
}

export function trendsPath() {
  const at = readAddress();
  return `trends${query({ by: at.by, job: at.job, account: at.account })}`;
}

/** The failures of each day: many events are folded for it, so it is asked for once a minute. */
async function readTrends() {
  const of = `${trendsPath()} ${Math.floor(Date.now() / TRENDS_EVERY)}`;
  if (of === side.trendsOf) return;
  side.trendsOf = of;
  try {
    side.trends = await get(trendsPath());
    delete side.trouble.trends;
  } catch (error) {
    side.trouble.trends = messageOf(error);
  }
}

/** Which jobs the node failed for that is looked for. */
async function readFound() {
  const { q, job } = readAddress();
  const node = q.trim();
  if (job || node.length < LEAST_SOUGHT) {
    side.found = [];
    return;
  }
  const found = await get(`events${query({ node, top: 200 })}`).catch(() => null);
  side.found = found ? found.value.flatMap((/** @type {EventView} */ event) => event.jobId ?? []) : [];
}

export async function readSide() {
  await Promise.all([
    ...[readList("webhooks", "webhooks"), readList("mutes", "mutes?top=1000"), readList("events", eventsPath())],
    ...[readList("pools", "pools?top=200"), readTrends(), readFound()],
  ]);
}
