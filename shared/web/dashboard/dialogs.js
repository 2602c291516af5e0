"use strict";
// What opens above the page: a node with its explanation, an event with its deliveries, a mute to be made.

const opened = { what: "" };

function dialog(title, ...body) {
  const element = document.getElementById("dialog");
  const close = h("button", { type: "button", class: "small", click: () => element.close() }, "Close");
  refill(document.getElementById("dialog-content"), () => [h("header", {}, h("h2", { id: "dialog-title", tabindex: -1, autofocus: true }, title), close), h("div", { class: "body" }, ...body)]);
  if (!element.open) element.showModal();
}

/** Show what the address names, or nothing. */
async function showDialog() {
  const at = readAddress();
  const what = at.event ? `event ${at.event}` : at.node && at.job ? `node ${at.account} ${at.job} ${at.pool} ${at.node}` : "";
  if (what === opened.what) return;
  opened.what = what;
  if (!what) { document.getElementById("dialog").close(); return; }
  dialog(at.event ? "Event" : at.node, h("p", { class: "empty" }, "Asking…"));
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
    if (opened.what === what) dialog(at.event ? "Event" : at.node, h("p", { class: "trouble block" }, error.message));
  }
}

document.getElementById("dialog").addEventListener("close", () => {
  const at = readAddress();
  const showsAddress = opened.what !== "";
  opened.what = "";
  if (showsAddress && (at.event || at.node)) go(at.event ? { event: "" } : { node: "", pool: "" });
});

// A node

async function nodeDialog(at) {
  const told = await get(nodesPath(at.job, `/${encodeURIComponent(at.node)}${query({ account: at.account, pool: at.pool })}`));
  const { node } = told;
  const tails = await stderrTails(told);
  const of = (phase) => told.phases.find((one) => one.phase === phase);
  return [node.nodeId,
    h("p", { class: "soft block" }, `Pool ${node.poolId}, job ${told.jobId}, ${told.account}.`, node.open && told.tracking === "watching" && h("span", { class: "bad-ink" }, " It takes none of the job's tasks until its preparation succeeds.")),
    phaseBlock("Preparation", node.preparation, of("preparation"), tails.preparation),
    phaseBlock("Release", node.release, of("release"), tails.release),
    h("div", { class: "block" }, h("h3", {}, "Who was told"),
      told.events.length === 0 && h("p", { class: "soft" }, "No event names this node. ", told.trackingExplanation),
      told.events.map((event) => toldBlock(event))),
  ];
}

/** The end of stderr lies in the event that told the failure, if the app is set to fetch it. */
async function stderrTails(told) {
  const tails = {};
  for (const phase of told.phases.filter((one) => one.eventId)) {
    const stored = await get(`events/${encodeURIComponent(phase.eventId)}`).catch(() => null);
    const node = stored?.event.data.nodes?.find((one) => one.nodeId === told.node.nodeId && one.poolId === told.node.poolId);
    if (node?.stderrTail) tails[phase.phase] = node.stderrTail;
  }
  return tails;
}

function fact(words, value) {
  return value === undefined || value === null || value === "" ? [] : [h("dt", {}, words), h("dd", {}, value)];
}

/** What the task wrote last, or why it is not known. Batch gives no exit code when the command was never started. */
function stderrBlock(run, tail) {
  if (tail && !/^\[(stderr\.txt|Batch names) /.test(tail)) return h("details", { class: "stderr", open: true }, h("summary", {}, "End of stderr.txt"), h("pre", { tabindex: 0 }, h("code", {}, tail)));
  const words = run.failureInfo && (run.exitCode ?? null) === null ? "The command was never started, so there is no stderr.txt."
    : tail ? `${capital(tail.slice(1, -1))}.`
    : "The end of stderr.txt was not kept: it is while STDERR_TAIL_BYTES is set, for up to ten newly failed nodes of a job at a time.";
  return h("p", { class: "stderr soft small" }, words);
}

function phaseBlock(title, phase, explained, tail) {
  if (!phase) return h("div", { class: "block" }, h("h3", {}, title), h("p", { class: "soft" }, "Has not run here."));
  const run = phase.execution;
  const failure = run.failureInfo ?? {};
  const todo = failure.code && advice(failure.code);
  const seconds = run.startTime && run.endTime ? (Date.parse(run.endTime) - Date.parse(run.startTime)) / 1000 : null;
  return h("div", { class: "block" }, h("h3", {}, title, " ", outcome(phase.outcome)),
    (failure.code || failure.message) && h("div", { class: "cause" },
      h("div", { class: "first-line" }, h("b", {}, failure.code ?? "Failed"), failure.category && h("span", { class: "soft" }, failure.category)),
      h("p", {}, failure.message),
      failure.details?.map((detail) => h("p", { class: "small" }, `${detail.name ?? ""}: ${detail.value ?? ""}`)),
      todo && h("p", { class: "do" }, todo)),
    phase.outcome === "failed" && stderrBlock(run, tail),
    explained && h("p", { class: "block tight" }, explained.explanation),
    h("dl", { class: "facts block tight" },
      fact("Exit code", run.exitCode), fact("Started", run.startTime && moment(run.startTime)), fact("Ended", run.endTime && moment(run.endTime)),
      fact("Took", seconds === null ? null : duration(seconds)), fact("Retries", run.retryCount || null), fact("Last retry", run.lastRetryTime && moment(run.lastRetryTime)),
      fact("Container", run.containerInfo && [run.containerInfo.containerId, run.containerInfo.state, run.containerInfo.error].filter(Boolean).join(", ")),
      fact("Directory", run.taskRootDirectory && h("code", {}, run.taskRootDirectory))));
}

function toldBlock(event) {
  const [shape, kind, words] = kindOf(event.type);
  return h("div", { class: "cause" },
    h("div", { class: "first-line" }, h("b", { class: "outcome" }, icon(shape, kind), link({ event: event.id, node: "", pool: "" }, {}, words)), h("span", { class: "soft nowrap" }, moment(event.recordedAt))),
    h("ul", { class: "deliveries" }, event.webhooks.map((one) => h("li", {},
      h("div", { class: "line" }, h("b", {}, one.webhook), one.delivery ? deliveryTags([one.delivery]) : h("span", { class: "tag" }, "not sent"), one.delivery && againButton(event.id, one.webhook)),
      h("p", { class: "small soft" }, one.explanation),
      one.delivery && attempts(one.delivery)))));
}

// An event

function againButton(id, webhook) {
  return act("Send again", async () => {
    const told = await post(`events/${encodeURIComponent(id)}/redeliver${query({ webhook })}`);
    const [one] = told.value;
    const { what } = opened;
    setTimeout(() => { if (opened.what === what) fillDialog(); reread(); }, 1500);
    return one?.result === "queued" ? `It is on its way to ${webhook} again.` : `${webhook}: ${one?.reason || "nothing to send"}.`;
  }, { "data-focus": `again ${webhook} ${id}` });
}

function attempts(delivery) {
  if (!delivery.attempts?.length) return h("p", { class: "small soft" }, delivery.nextAttemptAt ? ["Not tried yet, due ", moment(delivery.nextAttemptAt)] : "Not tried.");
  return [
    h("ol", { class: "small soft" }, delivery.attempts.map((one) => h("li", {}, moment(one.at), `: ${one.reason || "no reason given"} in ${one.durationMs} ms`, one.answer && ["; it said ", h("code", {}, one.answer)]))),
    delivery.state === "pending" && delivery.nextAttemptAt && h("p", { class: "small soft" }, "Next attempt ", moment(delivery.nextAttemptAt)),
    delivery.state === "dead" && delivery.reason && h("p", { class: "small soft" }, `Given up: ${delivery.reason}`),
  ];
}

async function eventDialog(id) {
  const stored = await get(`events/${encodeURIComponent(id)}`);
  const { event } = stored;
  const [, , words] = kindOf(event.type);
  const { data } = event;
  return [words,
    h("dl", { class: "facts block" }, fact("Recorded", moment(stored.recordedAt)), fact("Happened", event.time && moment(event.time)), fact("Job", data.jobId && link({ event: "", node: "", pool: "", account: data.account, job: data.jobId }, { class: "id" }, data.jobId)), fact("Account", data.account), fact("Webhook", data.webhook), fact("Id", h("code", {}, stored.id)), fact("Reason", typeof data.reason === "string" ? data.reason : null)),
    data.causes?.length > 0 && h("div", { class: "block" }, h("h3", {}, "Why"), h("ul", {}, data.causes.map(causeCard))),
    data.nodes?.length > 0 && h("div", { class: "block" }, h("h3", {}, count(data.nodes.length, "node")), h("ul", {}, data.nodes.map((node) => h("li", {}, link({ event: "", account: data.account, job: data.jobId, pool: node.poolId, node: node.nodeId }, { class: "id" }, node.nodeId))))),
    h("div", { class: "block" }, h("h3", {}, "Deliveries"),
      stored.deliveries.length === 0 && h("p", { class: "soft" }, "No webhook was owed this event on its own: chat and pager are told how a job stands instead."),
      h("ul", { class: "deliveries" }, stored.deliveries.map((one) => h("li", {}, h("div", { class: "line" }, h("b", {}, one.webhook), deliveryTags([one]), againButton(stored.id, one.webhook)), attempts(one))))),
    h("details", { class: "block" }, h("summary", {}, "As sent"), h("pre", { tabindex: 0 }, h("code", {}, JSON.stringify(event, null, 2)))),
  ];
}

// A mute

function muteButton(job) {
  if (side.mutes === null || side.trouble.mutes) return null;
  return h("button", { type: "button", class: "small", "data-focus": `mute ${job}`, click: () => muteDialog(job) }, "Mute…");
}

function muteDialog(job) {
  const field = (id, words, input) => h("div", {}, h("label", { for: id }, words), input);
  const hours = h("select", { id: "mute-for" }, [[1, "1 hour"], [4, "4 hours"], [12, "12 hours"], [24, "1 day"], [168, "1 week"]].map(([value, words]) => h("option", { value }, words)));
  const jobs = h("input", { id: "mute-jobs", value: job, required: true, spellcheck: "false" });
  const who = h("input", { id: "mute-by", required: true, maxlength: 100, autocomplete: "name" });
  const comment = h("input", { id: "mute-why", required: true, maxlength: 500 });
  const trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const save = async (event) => {
    event.preventDefault();
    const starts = new Date();
    const name = `m${starts.getTime().toString(36)}`;
    const mute = { jobs: jobs.value.split(",").map((one) => one.trim()).filter(Boolean), startsAt: starts.toISOString(), endsAt: new Date(starts.getTime() + hours.value * 3600e3).toISOString(), createdBy: who.value, comment: comment.value };
    try {
      await call("PUT", `mutes/${name}`, mute);
      document.getElementById("dialog").close();
      toast("Muted for chat and pager.");
      await reread();
    } catch (error) {
      Object.assign(trouble, { hidden: false, textContent: error.message });
    }
  };
  dialog("Mute for chat and pager",
    h("p", { class: "soft block" }, "Failures go on being recorded and sent to cloudevents and eventgrid webhooks. When the mute ends, chat and pager are told what is still open."),
    h("form", { class: "fields", submit: save }, field("mute-jobs", "Jobs (ids or globs, comma-separated)", jobs), field("mute-for", "For", hours), field("mute-by", "Your name", who), field("mute-why", "Why", comment), trouble,
      h("div", { class: "acts" }, h("button", { class: "primary" }, "Mute"))));
}
