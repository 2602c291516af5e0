"use strict";
// Asks again and again, and hands what it learns to the parts of the page.

const EVERY = 5000;
const EVERY_HIDDEN = 60000;
const page = { summary: null, answeredAt: 0, trouble: null, timer: 0, asking: null };

function connectionWords() {
  if (!page.trouble) return "";
  const known = page.summary ? ` What is shown was true ${ago(new Date(page.answeredAt).toISOString())}.` : "";
  return `${page.trouble.message}${page.trouble.details.map((one) => ` ${one.message}`).join("")}${known} Trying again by itself.`;
}

function refreshView() {
  document.getElementById("main").setAttribute("aria-busy", "false");
  document.body.classList.toggle("old", Boolean(page.trouble) || page.summary?.status === "stale");
  document.title = page.summary && page.summary.status !== "ok" ? `${VERDICTS[page.summary.status]?.[2] ?? page.summary.status} · Prepwatch` : "Prepwatch";
  showStatus(page.summary, connectionWords());
  const board = document.getElementById("board");
  board.hidden = !page.summary;
  document.getElementById("look").hidden = !page.summary;
  document.getElementById("forget").hidden = !sessionStorage.getItem(KEY);
  if (!page.summary) return;
  showJobs(page.summary);
  showJob(page.summary);
  showSide(page.summary);
  showDialog();
}

function showFreshness() {
  const words = page.answeredAt ? `Asked ${ago(new Date(page.answeredAt).toISOString())}` : "";
  const element = document.getElementById("freshness");
  if (element.textContent !== words) element.textContent = words;
}

function askForKey(error) {
  const given = Boolean(sessionStorage.getItem(KEY));
  sessionStorage.removeItem(KEY);
  tags.clear();
  Object.assign(page, { summary: null });
  for (const id of ["status", "board", "look", "forget"]) document.getElementById(id).hidden = true;
  document.getElementById("dialog").close();
  const form = document.getElementById("key-form");
  const trouble = document.getElementById("key-trouble");
  trouble.hidden = !given;
  trouble.textContent = given ? "That key does not open this app. Keys are per app, and change when they are renewed." : error.message;
  document.getElementById("main").setAttribute("aria-busy", "false");
  if (!form.hidden) return;
  form.hidden = false;
  document.getElementById("key").focus();
}

/** One round: the summary, then what stands beside it. */
async function ask(maxAge) {
  try {
    page.summary = await get(`summary${query({ maxAge })}`);
    Object.assign(page, { trouble: null, answeredAt: Date.now() });
    document.getElementById("key-form").hidden = true;
    document.getElementById("status").hidden = false;
    await readChosen();
    await readSide();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401 || error.status === 403) { askForKey(error); return; }
    page.trouble = error;
  }
  refreshView();
  showFreshness();
}

/** The chosen job may be beyond the page of jobs that the summary lists. */
async function readChosen() {
  const { job, account } = readAddress();
  if (!job || !page.summary.nextLink || findJob(page.summary)) return;
  const alone = await get(`summary${query({ job, account })}`).catch(() => null);
  if (alone) page.summary = { ...page.summary, value: [...page.summary.value, ...alone.value] };
}

function reread() {
  page.asking ??= ask().finally(() => { page.asking = null; });
  return page.asking;
}

async function round() {
  clearTimeout(page.timer);
  if (document.getElementById("key-form").hidden) await reread();
  clearTimeout(page.timer);
  page.timer = setTimeout(round, document.hidden ? EVERY_HIDDEN : EVERY);
}

document.getElementById("look").replaceWith(act("Poll now", async () => {
  await page.asking;
  await ask(0);
  return page.trouble ? "" : "Every account was asked just now.";
}, { id: "look", hidden: true }));
document.getElementById("forget").addEventListener("click", () => { sessionStorage.removeItem(KEY); location.assign("?"); });
document.getElementById("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, document.getElementById("key").value.trim());
  document.getElementById("key").value = "";
  reread();
});
document.querySelector(".brand").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(Object.fromEntries(PARAMETERS.map((name) => [name, ""])));
});
addEventListener("addresschange", () => {
  const events = eventsPath();
  refreshView();
  if (events !== side.seen) { side.seen = events; reread(); }
});
addEventListener("popstate", () => dispatchEvent(new Event("addresschange")));
document.addEventListener("visibilitychange", () => { if (!document.hidden) round(); });
setInterval(() => { ageing(); showFreshness(); }, 1000);
round();
