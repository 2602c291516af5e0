// How one phase went on one node: how it ended, why, and what its task wrote last.

import { h, outcome } from "./elements.js";
import { advice, capital, duration, moment } from "./words.js";

/**
 * @param {string} words
 * @param {Child} value
 */
export function fact(words, value) {
  return value === undefined || value === null || value === "" ? [] : [h("dt", {}, words), h("dd", {}, value)];
}

/**
 * What the task wrote last, or why it is not known. Batch gives no exit code when the command was never started.
 * @param {ExecutionInfo} run
 * @param {NodeName | undefined} node
 */
function writtenBlocks(run, node) {
  const { stderrTail, stdoutTail } = node ?? {};
  return [
    stderrBlock(run, stderrTail),
    stdoutTail && !IN_WORDS.test(stdoutTail) && tailBlock("stdout", stdoutTail),
    stdoutTail &&
      stderrTail !== stdoutTail &&
      IN_WORDS.test(stdoutTail) &&
      wordsBlock("stdout", tailInWords(stdoutTail)),
  ];
}

const IN_WORDS = /^\[(stderr\.txt|stdout\.txt|Batch names) /;

/** @param {string} tail */
const tailInWords = (tail) => `${capital(tail.slice(1, -1))}.`;

/**
 * @param {string} stream
 * @param {string} tail
 */
function tailBlock(stream, tail) {
  return h(
    "details",
    { class: stream, open: true },
    h("summary", {}, `End of ${stream}.txt`),
    h("pre", { tabindex: 0 }, h("code", {}, tail)),
  );
}

/**
 * @param {string} stream
 * @param {string} words
 */
function wordsBlock(stream, words) {
  return h("p", { class: `${stream} soft small` }, words);
}

/**
 * @param {ExecutionInfo} run
 * @param {string | undefined} tail
 */
function stderrBlock(run, tail) {
  if (tail && !IN_WORDS.test(tail)) return tailBlock("stderr", tail);
  const words =
    run.failureInfo && (run.exitCode ?? null) === null
      ? "The command was never started, so there is no stderr.txt."
      : tail
        ? tailInWords(tail)
        : "The end of stderr.txt was not kept: it is while STDERR_TAIL_BYTES is set, for up to ten newly failed nodes of a job at a time.";
  return wordsBlock("stderr", words);
}

/**
 * @param {string} title
 * @param {PhaseView | null} phase
 * @param {PhaseExplanationView | undefined} explained
 * @param {NodeName | undefined} node
 */
export function phaseBlock(title, phase, explained, node) {
  if (!phase) return h("div", { class: "block" }, h("h3", {}, title), h("p", { class: "soft" }, "Has not run here."));
  const run = phase.execution;
  const failure = run.failureInfo ?? {};
  const todo = failure.code && advice(failure.code);
  const seconds = run.startTime && run.endTime ? (Date.parse(run.endTime) - Date.parse(run.startTime)) / 1000 : null;
  return h(
    "div",
    { class: "block" },
    h("h3", {}, title, " ", outcome(phase.outcome)),
    (failure.code || failure.message) &&
      h(
        "div",
        { class: "cause" },
        h(
          "div",
          { class: "first-line" },
          h("b", {}, failure.code ?? "Failed"),
          failure.category && h("span", { class: "soft" }, failure.category),
        ),
        h("p", { dir: "auto" }, failure.message),
        failure.details?.map((detail) =>
          h("p", { class: "small" }, `${detail.name ?? ""}: `, h("bdi", {}, detail.value)),
        ),
        todo && h("p", { class: "do" }, todo),
      ),
    phase.outcome === "failed" && writtenBlocks(run, node),
    explained && h("p", { class: "block tight" }, explained.explanation),
    h(
      "dl",
      { class: "facts block tight" },
      fact("Exit code", run.exitCode),
      fact("Started", run.startTime && moment(run.startTime)),
      fact("Ended", run.endTime && moment(run.endTime)),
      fact("Took", seconds === null ? null : duration(seconds)),
      fact("Retries", run.retryCount || null),
      fact("Last retry", run.lastRetryTime && moment(run.lastRetryTime)),
      fact(
        "Container",
        run.containerInfo &&
          [run.containerInfo.containerId, run.containerInfo.state, run.containerInfo.error].filter(Boolean).join(", "),
      ),
      fact("Directory", run.taskRootDirectory && h("code", {}, run.taskRootDirectory)),
    ),
  );
}
