// Who was told what, what happened when, and whether Prepwatch itself is well.

import { h, icon, mount } from "./elements.js";
import { capital, clockTime, count, moment } from "./words.js";
import { readAddress } from "./address.js";
import { get, post } from "./api.js";
import { aboutGivenUp, act, link } from "./parts.js";
import { rounds } from "./rounds.js";
import { side } from "./lists.js";
import { mutesView } from "./mutes.js";

/** @param {SummaryView} summary */
export function showSide(summary) {
  mount("told", [side.webhooks, side.mutes, side.trouble, summary.deliveries, readAddress().job], () =>
    toldView(summary),
  );
  mount("timeline", [side.events, side.trouble.events, readAddress().job, new Date().toDateString()], timelineView);
  mount("itself", [summary.accounts, side.diagnostics], () => itselfView(summary));
}

// Told

const STANDINGS = {
  ok: ["good", "well"],
  failing: ["bad", "failing"],
  disabled: ["warn", "disabled"],
  off: ["", "off in settings"],
};

/** @param {SummaryView} summary */
function toldView(summary) {
  const hooks = side.webhooks ?? [];
  return [
    h(
      "div",
      { class: "head" },
      h("h2", { id: "told-title" }, "Who is told"),
      (summary.deliveries.dead > 0 || hooks.some((hook) => hook.untold.refused > 0)) && aboutGivenUp(),
    ),
    side.trouble.webhooks && h("p", { class: "trouble" }, side.trouble.webhooks),
    side.webhooks === null && !side.trouble.webhooks && h("p", { class: "empty" }, "Asking…"),
    side.webhooks !== null &&
      hooks.length === 0 &&
      h(
        "p",
        { class: "empty" },
        h("strong", {}, "Nobody is told of failures."),
        "Set WEBHOOK_URL or WEBHOOKS in the app's settings.",
      ),
    h("ul", { class: "list" }, hooks.map(hookItem)),
    mutesView(),
  ];
}

/** @param {WebhookView} hook */
function hookItem(hook) {
  const [kind, words] = STANDINGS[hook.state] ?? ["", hook.state];
  const path = `webhooks/${encodeURIComponent(hook.name)}`;
  const change = (/** @type {string} */ verb, /** @type {string} */ words_) =>
    act(
      capital(verb),
      async () => {
        await post(`${path}/${verb}`);
        await rounds.reread();
        return `${hook.name} is ${words_}.`;
      },
      { "data-focus": `${verb} ${hook.name}` },
    );
  const ping = async () => {
    const told = await post(`${path}/ping`);
    await rounds.reread();
    return told.delivered
      ? `${hook.name} took the ping in ${told.durationMs} ms.`
      : `${hook.name} did not take the ping: ${told.reason}. ${told.advice ?? ""}`;
  };
  return h(
    "li",
    { class: "hook" },
    h(
      "div",
      { class: "line" },
      h("b", {}, hook.name),
      h("span", { class: `tag ${kind}` }, words),
      h(
        "span",
        { class: "acts" },
        act("Ping", ping, { "data-focus": `ping ${hook.name}` }),
        hook.state === "disabled" ? change("enable", "enabled") : hook.state !== "off" && change("disable", "disabled"),
      ),
    ),
    h(
      "p",
      {},
      `${hook.format} to ${hook.host}`,
      hook.failingSince && [", failing since ", moment(hook.failingSince)],
      hook.reason && hook.state !== "ok" && `: ${hook.reason}`,
    ),
    (hook.untold.since || hook.dead > 0 || hook.untold.refused > 0) &&
      h(
        "p",
        {},
        hook.untold.since && [
          `${hook.untold.deliveries + hook.untold.jobs} waiting since `,
          moment(hook.untold.since),
          ". ",
        ],
        hook.untold.refused > 0 && `Called wrong for ${count(hook.untold.refused, "job")}: ${hook.untold.refusal}. `,
        hook.dead > 0 && `${hook.dead} given up.`,
      ),
  );
}

// Timeline

/** @type {Record<string, Look>} */
const KINDS = {
  "preparation.failed": ["failing", "bad-ink", "Preparation failed"],
  "preparation.resolved": ["ok", "good-ink", "Preparation resolved"],
  "release.failed": ["failing", "bad-ink", "Release failed"],
  "job.stuck": ["failing", "bad-ink", "Job is stuck"],
  "job.resumed": ["ok", "good-ink", "Job goes on"],
  "job.unreachable": ["degraded", "warn-ink", "Job can't be looked at"],
  "job.reachable": ["ok", "good-ink", "Job can be looked at again"],
  "job.gone": ["degraded", "warn-ink", "Job is gone"],
  "account.unreachable": ["degraded", "warn-ink", "Account can't be asked"],
  "account.reachable": ["ok", "good-ink", "Account answers again"],
  "webhook.failing": ["degraded", "warn-ink", "Webhook fails"],
  "webhook.recovered": ["ok", "good-ink", "Webhook works again"],
  "webhook.disabled": ["degraded", "warn-ink", "Webhook is disabled"],
  "webhook.enabled": ["ok", "good-ink", "Webhook is enabled again"],
  ping: ["bell", "", "Ping"],
};

/** @param {string} type */
export function kindOf(type) {
  const name = type.replace(/^prepwatch\./, "");
  return KINDS[name] ?? ["bell", "", name];
}

const DELIVERY = {
  delivered: ["good", "delivered"],
  pending: ["", "waiting"],
  dead: ["bad", "given up"],
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
    side.events === null && !side.trouble.events && h("p", { class: "empty" }, "Asking…"),
    side.events !== null &&
      events.length === 0 &&
      h(
        "p",
        { class: "empty" },
        h("strong", {}, "Nothing was told yet."),
        "Failures, their end, and trouble of accounts and webhooks are listed here.",
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
  const [shape, kind, words] = kindOf(event.type);
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
      event.jobId && !readAddress().job && [" ", h("span", { class: "id" }, event.jobId)],
      " ",
      deliveryTags(event.deliveries),
    ),
  );
}

// Prepwatch itself

/** @param {SummaryView} summary */
function itselfView(summary) {
  return [
    h(
      "div",
      { class: "head" },
      h("h2", { id: "itself-title" }, "Prepwatch itself"),
      act("Check permissions", check, { "data-focus": "check" }),
    ),
    h("ul", { class: "list" }, summary.accounts.map(accountItem)),
    side.diagnostics && h("ul", { class: "list block tight" }, side.diagnostics.map(checkItem)),
  ];
}

async function check() {
  /** @type {DiagnosticsView} */
  const found = await get("diagnostics");
  side.diagnostics = found.value;
  rounds.refresh();
  const bad = found.value.filter((one) => !one.ok).length;
  return bad ? `${count(bad, "check")} failed.` : "Every check passed.";
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
      h("b", {}, account.account),
      " ",
      account.error
        ? h("span", { class: "tag bad" }, account.error.code)
        : account.stale
          ? h("span", { class: "tag warn" }, "stale")
          : h("span", { class: "tag good" }, "well"),
    ),
    h(
      "p",
      { class: "soft small" },
      "Read up to ",
      moment(account.lastGoodPoll, "never"),
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
    check_.remedy && h("pre", { tabindex: 0 }, h("code", {}, check_.remedy)),
  );
}
