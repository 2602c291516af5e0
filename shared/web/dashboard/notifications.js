// Who is notified: the webhooks and their health; and what is muted, with the dialog that mutes.

import { h } from "./elements.js";
import { count, KNOWN, moment } from "./words.js";
import { call, get, messageOf, nextPath, post, query, rounds } from "./api.js";
import { aboutGivenUp, act, closeDialog, dialog, toast } from "./parts.js";
import { side, waitingFor } from "./lists.js";

export function mutesView() {
  if (side.trouble.mutes || side.mutes === null) return null;
  const now = Date.now();
  const current = side.mutes.filter((mute) => Date.parse(mute.endsAt) > now);
  return h(
    "div",
    { class: "block tight" },
    h(
      "div",
      { class: "head" },
      h("h3", {}, current.length ? "Muted for chat and pager" : "Nothing is muted"),
      muteButton("*"), // a job has a button of its own beside its name
    ),
    h(
      "ul",
      { class: "list" },
      current.map((mute) =>
        h(
          "li",
          { class: "hook" },
          h(
            "div",
            { class: "line" },
            h("span", { class: "id" }, mutedBy(mute)),
            h(
              "span",
              { class: "acts" },
              act(
                "End",
                async () => {
                  await call("DELETE", `mutes/${encodeURIComponent(mute.name)}`);
                  await rounds.reread();
                  return "The mute has ended.";
                },
                { "aria-label": `End the mute of ${mutedBy(mute)}`, "data-focus": `unmute ${mute.name}` },
              ),
            ),
          ),
          h(
            "p",
            {},
            Date.parse(mute.startsAt) > now && ["starts ", moment(mute.startsAt), ", "],
            "ends ",
            moment(mute.endsAt),
            mute.createdBy && [", by ", h("bdi", {}, mute.createdBy)],
            mute.comment && [": ", h("bdi", {}, mute.comment)],
          ),
        ),
      ),
    ),
  );
}

/** What a mute is of, in words. @param {MuteView} mute */
const mutedBy = (mute) => [...mute.jobs, ...mute.pools.map((pool) => `pool ${pool}`)].join(", ");

/** Whether it is known what is muted: else nothing can be muted here. */
export const knowsMutes = () => side.mutes !== null && !side.trouble.mutes;

/** @param {string} job */
export function muteButton(job) {
  if (!knowsMutes()) return null;
  return h(
    "button",
    {
      type: "button",
      class: "small",
      "aria-label": job === "*" ? "Mute all jobs" : `Mute ${job}`,
      "data-focus": `mute ${job}`,
      click: () => muteDialog(job),
    },
    "Mute…",
  );
}

/** @param {string} job */
function muteDialog(job) {
  const field = (/** @type {string} */ id, /** @type {string} */ words, /** @type {HTMLElement} */ input) =>
    h("div", {}, h("label", { for: id }, words), input);
  const hours = h(
    "select",
    { id: "mute-for" },
    [
      [1, "1 hour"],
      [4, "4 hours"],
      [12, "12 hours"],
      [24, "1 day"],
      [168, "1 week"],
    ].map(([value, words]) => h("option", { value }, words)),
  );
  const jobs = h("input", { id: "mute-jobs", value: job, required: true, spellcheck: "false" });
  const who = h("input", { id: "mute-by", required: true, maxlength: 100, autocomplete: "name" });
  const comment = h("input", { id: "mute-why", required: true, maxlength: 500 });
  const trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const save = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const starts = new Date();
    const name = `m${starts.getTime().toString(36)}`;
    const mute = {
      jobs: jobs.value
        .split(",")
        .map((one) => one.trim())
        .filter(Boolean),
      startsAt: starts.toISOString(),
      endsAt: new Date(starts.getTime() + Number(hours.value) * 3600e3).toISOString(),
      createdBy: who.value,
      comment: comment.value,
    };
    try {
      await call("PUT", `mutes/${name}`, mute);
      closeDialog();
      toast("Muted for chat and pager.");
      await rounds.reread();
    } catch (error) {
      Object.assign(trouble, { hidden: false, textContent: messageOf(error) });
    }
  };
  dialog(
    "Mute for chat and pager",
    h(
      "p",
      { class: "soft block" },
      "Failures go on being recorded and sent to cloudevents and eventgrid webhooks. When the mute ends, chat is told what failed meanwhile, and a pager what is still open.",
    ),
    h(
      "form",
      { class: "fields", submit: save },
      field("mute-jobs", "Jobs (ids or globs, comma-separated)", jobs),
      field("mute-for", "For", hours),
      field("mute-by", "Your name", who),
      field("mute-why", "Why", comment),
      trouble,
      h("div", { class: "acts" }, h("button", { class: "primary" }, "Mute")),
    ),
  );
}

const SENDINGS = {
  delivered: ["good", "delivered"],
  refused: ["bad", "refused"],
  failed: ["warn", "not delivered"],
};

/**
 * What chat or a pager was sent, word for word: others are sent events, which have a list of their own.
 * @param {string} webhook
 * @param {string} path of the next page
 * @param {MessageView[]} before what is shown already
 */
async function showMessages(webhook, path, before = []) {
  /** @type {MessagesView} */
  const { value, nextLink } = await get(path);
  const sent = [...before, ...value];
  dialog(
    `Messages sent to ${webhook}`,
    sent.length === 0 &&
      h("p", { class: "empty" }, h("strong", {}, "No message yet."), "It is sent one when a job or a pool has news."),
    h("ul", { class: "list" }, sent.map(messageItem)),
    nextLink &&
      act("Earlier", () => showMessages(webhook, nextPath(path, nextLink), sent), {
        class: "more",
        "data-focus": "earlier messages",
      }),
  );
  return "";
}

/** @param {MessageView} message */
function messageItem(message) {
  const [kind, words] = SENDINGS[message.state] ?? ["", message.state];
  return h(
    "li",
    { class: "hook" },
    h("div", { class: "line" }, h("b", {}, moment(message.sentAt)), h("span", { class: `tag ${kind}` }, words)),
    h("pre", { tabindex: 0 }, h("code", {}, message.text)),
    message.attempts.map((one) =>
      h("p", {}, `${one.reason || "no reason given"} in ${one.durationMs} ms`, one.answer && `; it said ${one.answer}`),
    ),
    h(
      "details",
      { "data-focus": `sent ${message.id}` },
      h("summary", {}, "As sent"),
      h("pre", { tabindex: 0 }, h("code", {}, JSON.stringify(message.body, null, 2))),
    ),
  );
}

const STANDINGS = {
  ok: ["good", "healthy"],
  failing: ["bad", "failing"],
  disabled: ["warn", "disabled"],
  off: ["", "off in settings"],
};

/** @param {WebhookView} hook */
const takesAll = ({ state, untold, dead }) =>
  state === "ok" && !untold.since && !untold.refused && !untold.unreadable && !dead;

/** @param {SummaryView} summary */
export function toldView(summary) {
  const hooks = side.webhooks ?? [];
  const undelivered = summary.deliveries.dead > 0 || hooks.some((hook) => hook.untold.refused > 0);
  const healthy = hooks.filter(takesAll);
  const others = hooks.filter((hook) => !takesAll(hook));
  const name = others.length ? "other webhook" : "webhook";
  return [
    h("div", { class: "head" }, h("h2", { id: "told-title" }, "Notifications"), undelivered && aboutGivenUp()),
    side.trouble.webhooks && h("p", { class: "trouble" }, side.trouble.webhooks),
    side.webhooks === null && !side.trouble.webhooks && h("p", { class: "empty" }, "Loading…"),
    side.webhooks?.length === 0 &&
      h("p", { class: "empty" }, h("strong", {}, "Nobody is notified of failures."), "Set WEBHOOK_URL or WEBHOOKS."),
    h("ul", { class: "list" }, others.map(hookItem)),
    healthy.length > 0 &&
      h(
        "details",
        { class: "fold", "data-focus": "webhooks" },
        h("summary", {}, `${count(healthy.length, name)}, ${healthy.length > 1 ? "all " : ""}healthy`),
        h("ul", { class: "list" }, healthy.map(hookItem)),
      ),
    mutesView(),
  ];
}

/** @param {WebhookView} hook */
function hookItem(hook) {
  const [kind, words] = STANDINGS[hook.state] ?? ["", hook.state];
  const path = `webhooks/${encodeURIComponent(hook.name)}`;
  const set = async (/** @type {"enable" | "disable"} */ verb) => {
    await post(`${path}/${verb}`);
    await rounds.reread();
    return `${hook.name} is ${verb}d.`;
  };
  const named = (/** @type {string} */ verb) => ({ "aria-label": `${verb} ${hook.name}` });
  const mark = { "data-focus": `switch ${hook.name}` }; // the same for both, so that the focus stays
  const ping = async () => {
    const told = await post(`${path}/ping`);
    await rounds.reread();
    return told.delivered
      ? `${hook.name} took the test message in ${told.durationMs} ms.`
      : `${hook.name} did not take the test message: ${told.reason}. ${told.advice ?? ""}`;
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
        KNOWN.stateFormats.includes(hook.format) &&
          act("Messages", () => showMessages(hook.name, `${path}/messages${query({ top: 20 })}`), {
            "aria-label": `Messages sent to ${hook.name}`,
            "data-focus": `messages ${hook.name}`,
          }),
        act("Test", ping, { ...named("Test"), "data-focus": `ping ${hook.name}` }),
        hook.state === "disabled"
          ? act("Enable", () => set("enable"), { ...named("Enable"), ...mark })
          : hook.state !== "off" &&
              act(
                "Disable",
                () => set("disable"),
                { ...named("Disable"), ...mark },
                () => set("enable"),
              ),
      ),
    ),
    h(
      "p",
      {},
      `${hook.format} to ${hook.host}`,
      hook.failingSince && [", failing since ", moment(hook.failingSince)],
      hook.reason && hook.state !== "ok" && `: ${hook.reason}`,
    ),
    (hook.untold.since || hook.dead > 0 || hook.untold.refused > 0 || hook.untold.unreadable) &&
      h(
        "p",
        {},
        hook.untold.since && [
          `${waitingFor(hook).toLocaleString("en")} waiting since `,
          moment(hook.untold.since),
          ". ",
          hook.state === "ok" && hook.lastAnswer && `The last attempt was not taken: ${hook.lastAnswer.reason}. `,
        ],
        hook.untold.refused > 0 && `${hook.untold.refused} refused as wrong: ${hook.untold.refusal}. `,
        hook.dead > 0 && `${hook.dead} undeliverable. `,
        hook.untold.unreadable && `Not told of everything: ${hook.untold.unreadable}`,
      ),
  );
}
