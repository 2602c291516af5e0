// Asks again and again, and hands what it learns to the parts of the page.

import { part } from "./elements.js";
import { ageing, ago, duration } from "./words.js";
import { go, PARAMETERS, readAddress } from "./address.js";
import { ApiError, get, KEY, nextPath, query, tags, rounds } from "./api.js";
import { act, closeDialog } from "./parts.js";
import { eventsPath, picksJobs, readSide, side, trendsPath } from "./lists.js";
import { drawMark, NodeMap } from "./nodemap.js";
import { showPools, showStatus, VERDICTS } from "./status.js";
import { showJobs } from "./overview.js";
import { chosen } from "./nodes.js";
import { findJob, showJob } from "./job.js";
import { showSide } from "./side.js";
import { showDialog } from "./dialogs.js";

const EVERY = 5000;
const EVERY_HIDDEN = 60000;
const page = {
  summary: /** @type {SummaryView | null} */ (null),
  answeredAt: 0,
  trouble: /** @type {ApiError | null} */ (null),
  timer: 0,
  asking: /** @type {Promise<void> | null} */ (null),
};
const keyField = /** @type {HTMLInputElement} */ (part("key"));

function connectionWords() {
  if (!page.trouble) return "";
  const known = page.summary ? ` What is shown was true ${ago(new Date(page.answeredAt).toISOString())}.` : "";
  return `${page.trouble.message}${page.trouble.details.map((one) => ` ${one.message}`).join("")}${known} Retrying automatically.`;
}

function refreshView() {
  part("main").setAttribute("aria-busy", "false");
  document.body.classList.toggle(
    "old",
    Boolean(page.trouble) || page.summary?.accounts.some((account) => account.stale) === true,
  );
  const wrong = page.summary && page.summary.status !== "ok" ? page.summary.status : "";
  document.title = [VERDICTS[wrong]?.[2] ?? wrong, readAddress().job, "Prepwatch"].filter(Boolean).join(" · ");
  showStatus(page.summary, connectionWords());
  const board = part("board");
  board.hidden = !page.summary;
  part("look").hidden = !page.summary;
  part("forget").hidden = !sessionStorage.getItem(KEY);
  if (!page.summary) return;
  showJobs(page.summary);
  showPools(page.summary);
  showJob(page.summary);
  showSide(page.summary);
  showDialog();
}

function showFreshness() {
  const next = page.summary?.nextPollAt;
  const due =
    next && Date.parse(next) > Date.now() ? ` · next poll in ${duration((Date.parse(next) - Date.now()) / 1000)}` : "";
  const words = page.answeredAt ? `Updated ${ago(new Date(page.answeredAt).toISOString())}${due}` : "";
  const element = part("freshness");
  if (element.textContent !== words) element.textContent = words;
}

/** @param {ApiError} error */
function askForKey(error) {
  const given = Boolean(sessionStorage.getItem(KEY));
  sessionStorage.removeItem(KEY);
  tags.clear();
  Object.assign(page, { summary: null });
  for (const id of ["status", "board", "look", "forget"]) part(id).hidden = true;
  closeDialog();
  const form = part("key-form");
  const trouble = part("key-trouble");
  trouble.hidden = !given;
  trouble.textContent = given
    ? "That key does not open this app. Keys are per app, and change when they are renewed."
    : error.message;
  part("main").setAttribute("aria-busy", "false");
  if (!form.hidden) return;
  form.hidden = false;
  keyField.focus();
}

/**
 * One round: the summary, then what stands beside it.
 * @param {number} [maxAge]
 */
async function ask(maxAge) {
  try {
    page.summary = await readJobs(await get(`summary${query({ maxAge, top: picksJobs(page.summary) ? 1000 : 200 })}`));
    Object.assign(page, { trouble: null, answeredAt: Date.now() });
    part("key-form").hidden = true;
    part("status").hidden = false;
    await readChosen();
    refreshView(); // the lists beside it may take longer
    await readSide();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The platform's own refusal, which has no body. The app's says what else keeps somebody out.
    if (error.status === 401 && !error.code) {
      askForKey(error);
      return;
    }
    page.trouble = error;
  }
  refreshView();
  showFreshness();
}

/**
 * The summary with as many jobs as are wanted, all where some are picked: it comes in pages.
 * @param {SummaryView} summary
 */
async function readJobs(summary) {
  while (summary.nextLink && (picksJobs(summary) || summary.value.length < side.jobs)) {
    const more = await get(nextPath("summary", summary.nextLink));
    summary = { ...summary, value: [...summary.value, ...more.value], nextLink: more.nextLink };
  }
  return summary;
}

/** The chosen job may be beyond the page of jobs that the summary lists. */
async function readChosen() {
  const { job, account } = readAddress();
  if (!job || !page.summary?.nextLink || findJob(page.summary)) return;
  const alone = await get(`summary${query({ job, account })}`).catch(() => null);
  if (alone) page.summary = { ...page.summary, value: [...page.summary.value, ...alone.value] };
}

function reread() {
  page.asking ??= ask().finally(() => {
    page.asking = null;
  });
  return page.asking;
}

async function round() {
  clearTimeout(page.timer);
  if (part("key-form").hidden) await reread();
  clearTimeout(page.timer);
  page.timer = setTimeout(round, document.hidden ? EVERY_HIDDEN : EVERY);
}

Object.assign(rounds, { refresh: refreshView, reread });
// The page's one name in the global scope: what somebody at the browser's console may look at.
Object.assign(globalThis, { prepwatch: { chosen, NodeMap, drawMark } });

part("look").replaceWith(
  act(
    "Poll now",
    async () => {
      await page.asking;
      await ask(0);
      return page.trouble ? "" : "Every account was polled just now.";
    },
    { id: "look", hidden: true },
  ),
);
part("forget").addEventListener("click", () => {
  sessionStorage.removeItem(KEY);
  location.assign("?");
});
part("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, keyField.value.trim());
  keyField.value = "";
  reread();
});
part("brand").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(Object.fromEntries(PARAMETERS.map((name) => [name, ""])));
});
/**
 * Begin where a job begins that was opened, and go on in the list at the one that was left.
 * @param {Address} from
 */
function arrive(from) {
  const at = readAddress();
  if (at.job === from.job) return;
  const left = CSS.escape(`job ${from.account} ${from.job}`);
  const place = document.querySelector(at.job ? "#job .crumb a" : `#jobs [data-focus="${left}"]`);
  if (place instanceof HTMLElement) place.focus();
}

let last = readAddress();
addEventListener("addresschange", () => {
  const wanted = `${eventsPath()} ${trendsPath()} ${readAddress().q} ${picksJobs(page.summary)}`;
  refreshView();
  arrive(last);
  last = readAddress();
  if (wanted !== side.seen) {
    side.seen = wanted;
    reread();
  }
});
addEventListener("popstate", () => dispatchEvent(new Event("addresschange")));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) round();
});
setInterval(() => {
  ageing();
  showFreshness();
}, 1000);
round();
