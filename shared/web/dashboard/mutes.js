// The mutes, and the dialog that makes one.

import { h } from "./elements.js";
import { moment } from "./words.js";
import { readAddress } from "./address.js";
import { call, messageOf } from "./api.js";
import { act, closeDialog, dialog, toast } from "./parts.js";
import { rounds } from "./rounds.js";
import { side } from "./lists.js";

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
      muteButton(readAddress().job || "*"),
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
            h("span", { class: "id" }, mute.jobs.join(", ")),
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
                { "data-focus": `unmute ${mute.name}` },
              ),
            ),
          ),
          h(
            "p",
            {},
            "ends ",
            moment(mute.endsAt),
            mute.createdBy && `, by ${mute.createdBy}`,
            mute.comment && `: ${mute.comment}`,
          ),
        ),
      ),
    ),
  );
}

/** @param {string} job */
export function muteButton(job) {
  if (side.mutes === null || side.trouble.mutes) return null;
  return h(
    "button",
    { type: "button", class: "small", "data-focus": `mute ${job}`, click: () => muteDialog(job) },
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
      "Failures go on being recorded and sent to cloudevents and eventgrid webhooks. When the mute ends, chat and pager are told what is still open.",
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
