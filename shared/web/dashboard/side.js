// What stands beside the jobs: who is notified, failures by day, what happened when, and whether Prepwatch is healthy.

import { h, icon, mount } from "./elements.js";
import { clockTime, count, kindOf, moment } from "./words.js";
import { go, readAddress } from "./address.js";
import { get, rounds } from "./api.js";
import { act, command, dialog, link, portalLink } from "./parts.js";
import { side } from "./lists.js";
import { toldView } from "./notifications.js";

/** @param {SummaryView} summary */
export function showSide(summary) {
  mount("told", [side.webhooks, side.mutes, side.trouble, summary.deliveries, readAddress().job], () =>
    toldView(summary),
  );
  showTrend();
  mount("timeline", [side.events, side.trouble.events, readAddress().job, new Date().toDateString()], timelineView);
  mount("itself", [summary.accounts], () => itselfView(summary));
}

// Timeline

const DELIVERY = {
  delivered: ["good", "delivered"],
  pending: ["", "waiting"],
  dead: ["bad", "undeliverable"],
  closed: ["", "closed"],
};

/** @param {DeliveryView[]} deliveries */
export function deliveryTags(deliveries) {
  return Object.entries(DELIVERY)
    .map(([state, [kind, words]]) => {
      const number = deliveries.filter((one) => one.state === state).length;
      return number > 0 && h("span", { class: `tag ${kind}` }, number > 1 ? `${number} ${words}` : words);
    })
    .filter(Boolean);
}

function timelineView() {
  const events = side.events ?? [];
  let day = "";
  const dayName = (/** @type {string | number} */ text) =>
    new Date(text).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
  const items = events.flatMap((event) => {
    const heading = dayName(event.recordedAt);
    const first = heading !== day && h("li", { class: "day" }, heading === dayName(Date.now()) ? "Today" : heading);
    day = heading;
    return [first, eventItem(event)];
  });
  return [
    h(
      "div",
      { class: "head" },
      h("h2", { id: "timeline-title" }, readAddress().job ? "What happened to this job" : "What happened"),
    ),
    side.trouble.events && h("p", { class: "trouble" }, side.trouble.events),
    side.events === null && !side.trouble.events && h("p", { class: "empty" }, "Loading…"),
    side.events !== null &&
      events.length === 0 &&
      h(
        "p",
        { class: "empty" },
        h("strong", {}, "No events yet."),
        "Failures, their end, and trouble with accounts and webhooks are listed here.",
      ),
    h("ul", {}, items),
    events.length >= side.more &&
      h(
        "button",
        {
          type: "button",
          class: "more",
          "data-focus": "earlier",
          click: () => {
            side.more = Math.min(1000, side.more * 3);
            rounds.reread();
          },
        },
        "Earlier",
      ),
  ];
}

/** @param {EventView} event */
function eventItem(event) {
  const [shape, kind, words] = kindOf(event.type, event.reason);
  const what = event.nodes ? `${words} on ${count(event.nodes, "node")}` : words;
  return h(
    "li",
    { class: "event" },
    icon(shape, kind),
    h("div", { class: "what" }, link({ event: event.id }, { "data-focus": `event ${event.id}` }, what)),
    h(
      "div",
      { class: "when" },
      clockTime(event.recordedAt),
      !readAddress().job && [" ", h("span", { class: "id" }, subjectOf(event))],
      deliveryTags(event.deliveries).flatMap((tag) => [" ", tag]),
    ),
  );
}

/** The name of what an event is about: a job, a pool, a webhook, or else the account. @param {EventView} event */
function subjectOf(event) {
  return event.subject?.replace(/^[a-z]+\//, "") ?? event.account;
}

// Prepwatch's own health

/** @param {SummaryView} summary */
function itselfView(summary) {
  return [
    h(
      "div",
      { class: "head" },
      h("h2", { id: "itself-title" }, "Prepwatch health"),
      act("Diagnostics", check, { "aria-label": "Run diagnostics", "data-focus": "check" }),
    ),
    h("ul", { class: "list" }, summary.accounts.map(accountItem)),
  ];
}

async function check() {
  /** @type {DiagnosticsView} */
  const found = await get("diagnostics");
  const bad = found.value.filter((one) => !one.ok);
  const good = found.value.filter((one) => one.ok);
  const words = bad.length ? `${bad.length} of ${count(found.value.length, "check")} failed` : "Every check passed";
  dialog(
    "Diagnostics",
    h("p", { class: "block" }, `${words}.`),
    h("ul", { class: "list" }, [...bad, ...good].map(checkItem)),
  );
  return "";
}

/** @param {AccountView} account */
function accountItem(account) {
  const last = account.lastPoll;
  return h(
    "li",
    { class: "account" },
    h(
      "div",
      {},
      h("b", {}, portalLink(account.portalUrl, account.account)),
      " ",
      account.error
        ? h("span", { class: "tag bad" }, account.error.code)
        : account.stale
          ? h("span", { class: "tag warn" }, "stale")
          : h("span", { class: "tag good" }, "healthy"),
    ),
    h(
      "p",
      { class: "soft small" },
      account.lastGoodPoll ? ["Read up to ", moment(account.lastGoodPoll)] : "Not read yet",
      last && `: ${count(last.jobs, "job")} looked at`,
      last && last.notLookedAt > 0 && `, ${last.notLookedAt} not in time`,
      last && last.errors > 0 && `, ${count(last.errors, "error")}`,
      ".",
    ),
    account.error &&
      h(
        "p",
        { class: "trouble small" },
        account.error.message,
        account.error.requestId && ` (request ${account.error.requestId})`,
      ),
    account.poolsError &&
      !account.error &&
      h(
        "p",
        { class: "trouble small" },
        `The nodes of its pools could not be counted: ${account.poolsError}. `,
        "Why jobs stand still is known from their own listings alone; the diagnostics name a missing right.",
      ),
  );
}

/** @param {Check} check_ */
function checkItem(check_) {
  return h(
    "li",
    { class: "hook" },
    h(
      "div",
      { class: "outcome" },
      icon(check_.ok ? "ok" : "failing", check_.ok ? "good-ink" : "bad-ink"),
      h("b", {}, check_.name),
      h("span", { class: "sr" }, check_.ok ? "passed" : "failed"),
    ),
    h("p", {}, check_.message),
    check_.remedy &&
      (check_.remedy.startsWith("az ")
        ? command(check_.remedy, `remedy for ${check_.name}`)
        : h("p", { class: "do" }, check_.remedy)),
  );
}

// Failures by day

const MOST_ROWS = 8;
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

function showTrend() {
  const at = readAddress();
  mount("trend", [side.trends, side.trouble.trends, at.job, at.by], () => [
    h(
      "div",
      { class: "head" },
      h("h2", { id: "trend-title" }, at.job ? "Failures of this job, by day" : "Failures by day"),
      h(
        "select",
        { "aria-label": "Failures by", "data-focus": "by", change: (event) => go({ by: event.target.value }, true) },
        [
          ["", "By code"],
          ["pool", "By pool"],
          ["job", "By job"],
        ].map(([value, words]) => h("option", { value, selected: value === at.by }, words)),
      ),
    ),
    side.trouble.trends && h("p", { class: "trouble" }, side.trouble.trends),
    side.trends ? chart(side.trends) : !side.trouble.trends && h("p", { class: "empty" }, "Loading…"),
  ]);
}

/** @param {TrendsView} trends */
function chart(trends) {
  if (!trends.value.length) return h("p", { class: "empty" }, `No failures in ${count(trends.days.length, "day")}.`);
  const most = Math.max(...trends.value.flatMap((row) => row.counts));
  return [
    h(
      "ul",
      { class: "list" },
      trends.value.slice(0, MOST_ROWS).map((row) => trendRow(row, trends.days, most)),
    ),
    trends.value.length > MOST_ROWS && h("p", { class: "soft small" }, "Only those with most failures are shown."),
    h(
      "p",
      { class: "soft small" },
      `Nodes that failed, ${dayWords(trends.days[0])} to today; days are those of UTC. `,
      !trends.complete && ["Counted from ", moment(trends.countedFrom), ": there were too many events before."],
    ),
  ];
}

/** @param {string | undefined} day */
const dayWords = (day) => (day ? DAY.format(new Date(`${day}T00:00:00Z`)) : "");

/**
 * @param {TrendView} row
 * @param {string[]} days
 * @param {number} most
 */
function trendRow(row, days, most) {
  const said = row.counts
    .map((number, day) => (number ? `${dayWords(days[day])}: ${number.toLocaleString("en")}` : ""))
    .filter(Boolean);
  const columns = row.counts.map((number, day) => {
    const length = h("i", { class: number ? "" : "none" });
    length.style.height = `${number ? Math.max(8, (100 * number) / most) : 0}%`;
    return h("span", { title: `${dayWords(days[day])}: ${number}` }, number > 0 && h("b", {}, short(number)), length);
  });
  return h(
    "li",
    { class: "trend" },
    h("div", { class: "name" }, h("b", {}, row.name ?? "All others"), ` ${count(row.total, "failure")}`),
    h("p", { class: "soft small" }, "first ", moment(row.first), ", last ", moment(row.last)),
    h("div", { class: "columns", role: "img", "aria-label": `Failures by day: ${said.join(", ")}` }, columns),
  );
}

/** @param {number} number */
const short = (number) => (number < 1000 ? String(number) : `${Math.round(number / 1000)}k`);
