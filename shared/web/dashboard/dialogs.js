// What opens above the page: a node with its explanation, an event with its deliveries, a mute to be made.

import { h, icon, part } from "./elements.js";
import { count, kindOf, moment } from "./words.js";
import { go, readAddress } from "./address.js";
import { get, messageOf, nodesPath, post, query, rounds } from "./api.js";
import { act, closeDialog, command, copyButton, dialog, link } from "./parts.js";
import { causeCard } from "./job.js";
import { deliveryTags } from "./side.js";
import { fact, phaseBlock } from "./phases.js";

const opened = { what: "" };

/** Show what the address names, or nothing. */
export async function showDialog() {
  const at = readAddress();
  const what = at.event
    ? `event ${at.event}`
    : at.node && at.job
      ? `node ${at.account} ${at.job} ${at.pool} ${at.node}`
      : "";
  if (what === opened.what) return;
  opened.what = what;
  if (!what) {
    closeDialog();
    return;
  }
  dialog(at.event ? "Event" : at.node, h("p", { class: "empty" }, "Loading…"));
  await fillDialog();
}

/** Ask for what the address names, be it once more; whoever reads in it stays in place. */
async function fillDialog() {
  const at = readAddress();
  const { what } = opened;
  try {
    const made = at.event ? await eventDialog(at.event) : await nodeDialog(at);
    if (opened.what === what) dialog(...made);
  } catch (error) {
    if (opened.what === what)
      dialog(at.event ? "Event" : at.node, h("p", { class: "trouble block" }, messageOf(error)));
  }
}

part("dialog").addEventListener("close", () => {
  const at = readAddress();
  const showsAddress = opened.what !== "";
  opened.what = "";
  if (showsAddress && (at.event || at.node)) go(at.event ? { event: "" } : { node: "", pool: "" });
});

// A node

/**
 * @param {Address} at
 * @returns {Promise<[string, ...Child[]]>}
 */
async function nodeDialog(at) {
  /** @type {ExplanationView} */
  const explained = await get(
    nodesPath(at.job, `/${encodeURIComponent(at.node)}${query({ account: at.account, pool: at.pool })}`),
  );
  const { node } = explained;
  const named = await namesInEvents(explained);
  const of = (/** @type {string} */ phase) => explained.phases.find((one) => one.phase === phase);
  return [
    node.nodeId,
    h(
      "p",
      { class: "block acts" },
      copyButton(node.nodeId, "node id", "Copy node id"),
      copyButton(location.href, "link to this node", "Copy link"),
    ),
    h(
      "p",
      { class: "soft block" },
      `Pool ${node.poolId}, job ${explained.jobId}, ${explained.account}.`,
      node.open &&
        explained.tracking === "watching" &&
        h("span", { class: "bad-ink" }, " It takes none of the job's tasks until its preparation succeeds."),
    ),
    phaseBlock("Preparation", node.preparation, of("preparation"), named.preparation),
    phaseBlock("Release", node.release, of("release"), named.release),
    explained.commands.length > 0 &&
      h(
        "div",
        { class: "block" },
        h("h3", {}, "What to do"),
        explained.commands.map((one) => [h("p", { class: "small" }, `${one.does}:`), command(one.command, one.does)]),
      ),
    h(
      "div",
      { class: "block" },
      h("h3", {}, "Notifications"),
      explained.events.length === 0 &&
        h("p", { class: "soft" }, "No event names this node. ", explained.trackingExplanation),
      explained.events.map((event) => toldBlock(event)),
    ),
  ];
}

/**
 * By phase the node as the event that told its failure names it: with what the task wrote last, if the app is set to
 * fetch that.
 * @param {ExplanationView} explained
 * @returns {Promise<Record<string, NodeName>>}
 */
async function namesInEvents(explained) {
  /** @type {Record<string, NodeName>} */
  const named = {};
  for (const phase of explained.phases.filter((one) => one.eventId)) {
    const stored = await get(`events/${encodeURIComponent(phase.eventId ?? "")}`).catch(() => null);
    const node = stored?.event.data.nodes?.find(
      (/** @type {NodeName} */ one) => one.nodeId === explained.node.nodeId && one.poolId === explained.node.poolId,
    );
    if (node) named[phase.phase] = node;
  }
  return named;
}

/** @param {ExplainedEventView} event */
function toldBlock(event) {
  const [shape, kind, words] = kindOf(event.type, event.reason);
  return h(
    "div",
    { class: "cause" },
    h(
      "div",
      { class: "first-line" },
      h("b", { class: "outcome" }, icon(shape, kind), link({ event: event.id, node: "", pool: "" }, {}, words)),
      h("span", { class: "soft nowrap" }, moment(event.recordedAt)),
    ),
    h(
      "ul",
      { class: "deliveries" },
      event.webhooks.map((one) =>
        h(
          "li",
          {},
          h(
            "div",
            { class: "line" },
            h("b", {}, one.webhook),
            one.delivery ? deliveryTags([one.delivery]) : h("span", { class: "tag" }, "not sent"),
            one.delivery && againButton(event.id, one.webhook),
          ),
          h("p", { class: "small soft" }, one.explanation),
          one.delivery && attempts(one.delivery),
        ),
      ),
    ),
  );
}

// An event

/**
 * @param {string} id
 * @param {string} webhook
 */
function againButton(id, webhook) {
  return act(
    "Send again",
    async () => {
      const answer = await post(`events/${encodeURIComponent(id)}/redeliver${query({ webhook })}`);
      const [one] = answer.value;
      const { what } = opened;
      setTimeout(() => {
        if (opened.what === what) fillDialog();
        rounds.reread();
      }, 1500);
      return one?.result === "queued"
        ? `It is on its way to ${webhook} again.`
        : `${webhook}: ${one?.reason || "nothing to send"}.`;
    },
    { "aria-label": `Send again to ${webhook}`, "data-focus": `again ${webhook} ${id}` },
  );
}

/** @param {DeliveryHistoryView} delivery */
function attempts(delivery) {
  if (!delivery.attempts?.length)
    return h(
      "p",
      { class: "small soft" },
      delivery.nextAttemptAt ? ["Not tried yet, due ", moment(delivery.nextAttemptAt)] : "Not tried.",
    );
  return [
    h(
      "ol",
      { class: "small soft" },
      delivery.attempts.map((one) =>
        h(
          "li",
          {},
          moment(one.at),
          `: ${one.reason || "no reason given"} in ${one.durationMs} ms`,
          one.answer && ["; it said ", h("code", {}, one.answer)],
        ),
      ),
    ),
    delivery.state === "pending" &&
      delivery.nextAttemptAt &&
      h("p", { class: "small soft" }, "Next attempt ", moment(delivery.nextAttemptAt)),
    delivery.state === "dead" &&
      delivery.reason &&
      h("p", { class: "small soft" }, `Undeliverable: ${delivery.reason}`),
  ];
}

/**
 * @param {string} id
 * @returns {Promise<[string, ...Child[]]>}
 */
async function eventDialog(id) {
  /** @type {EventHistoryView} */
  const stored = await get(`events/${encodeURIComponent(id)}`);
  const { event } = stored;
  const { data } = event;
  const [, , words] = kindOf(event.type, data.reason ?? data.nodes?.[0]?.reason);
  return [
    words,
    h(
      "dl",
      { class: "facts block" },
      fact("Recorded", moment(stored.recordedAt)),
      fact("Happened", event.time && moment(event.time)),
      fact(
        "Job",
        data.jobId &&
          link({ event: "", node: "", pool: "", account: data.account, job: data.jobId }, { class: "id" }, data.jobId),
      ),
      fact("Account", data.account),
      fact("Webhook", data.webhook),
      fact("Id", h("code", {}, stored.id)),
      fact("Reason", typeof data.reason === "string" ? data.reason : null),
    ),
    data.causes?.length > 0 &&
      h("div", { class: "block" }, h("h3", {}, "Why"), h("ul", {}, data.causes.map(causeCard))),
    data.nodes?.length > 0 &&
      h(
        "div",
        { class: "block" },
        h("h3", {}, count(data.nodes.length, "node")),
        h(
          "ul",
          {},
          data.nodes.map((/** @type {NodeName} */ node) =>
            h(
              "li",
              {},
              link(
                { event: "", account: data.account, job: data.jobId, pool: node.poolId, node: node.nodeId },
                { class: "id" },
                node.nodeId,
              ),
            ),
          ),
        ),
      ),
    h(
      "div",
      { class: "block" },
      h("h3", {}, "Deliveries"),
      stored.deliveries.length === 0 &&
        h(
          "p",
          { class: "soft" },
          "No webhook gets this event as a delivery of its own: chat and pager get messages about the job instead.",
        ),
      h(
        "ul",
        { class: "deliveries" },
        stored.deliveries.map((one) =>
          h(
            "li",
            {},
            h(
              "div",
              { class: "line" },
              h("b", {}, one.webhook),
              deliveryTags([one]),
              againButton(stored.id, one.webhook),
            ),
            attempts(one),
          ),
        ),
      ),
    ),
    h(
      "details",
      { class: "block" },
      h("summary", {}, "As sent"),
      h("pre", { tabindex: 0 }, h("code", {}, JSON.stringify(event, null, 2))),
    ),
  ];
}
