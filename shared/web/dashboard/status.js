// The first thing asked: is anything wrong, and what.

import { h, icon, mount } from "./elements.js";
import { capital, count } from "./words.js";
import { post, rounds } from "./api.js";
import { act } from "./parts.js";

/** @type {Record<string, Look>} */
export const VERDICTS = {
  ok: ["ok", "good-ink", "All healthy"],
  failing: ["failing", "bad-ink", "Jobs are failing"],
  degraded: ["degraded", "warn-ink", "Degraded"],
  stale: ["stale", "warn-ink", "Data may be out of date"],
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
          h("div", {}, h("h1", {}, "No data yet"), h("p", { class: "reasons" }, connection)),
        );
      }
      const [shape, kind, words] = VERDICTS[summary.status] ?? ["degraded", "warn-ink", summary.status];
      const reasons = summary.reasons.length
        ? summary.reasons
        : [
            "No job has open failures, every account was read in time, and every message was delivered or is on its way.",
          ];
      return [
        h(
          "div",
          { class: "verdict" },
          icon(shape, kind),
          h(
            "div",
            {},
            h("h1", {}, summary.status === "degraded" && reasons[0] ? `${words}: ${reasons[0]}` : words),
            h(
              "ul",
              { class: "reasons" },
              (summary.status === "degraded" ? reasons.slice(1) : reasons).map((reason) =>
                h("li", {}, `${capital(reason)}.`.replace(/\.\.$/, ".")),
              ),
            ),
          ),
        ),
        summary.reasons.some((reason) => reason.startsWith("release failed")) && knownReleases(),
        figures(summary),
        connection && h("p", { class: "note", role: "alert" }, connection),
      ];
    },
  );
}

function knownReleases() {
  const dismiss = async () => {
    const told = await post("dismissals", { jobs: ["*"] });
    await rounds.reread();
    return `The failed releases of ${count(told.dismissed, "job")} are dismissed.`;
  };
  return act("Dismiss the failed releases", dismiss, { "data-focus": "releases" });
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
    one(deliveries.dead, "undeliverable", true),
  );
}
