// The lists beside the jobs, as they were last read.

import { readAddress } from "./address.js";
import { get, messageOf, query } from "./api.js";

/** @type {Lists} */
export const side = { webhooks: null, mutes: null, events: null, diagnostics: null, seen: "", trouble: {}, more: 12 };

/**
 * Read a list; what fails is said in its own section and keeps the others alive.
 * @param {"webhooks" | "mutes" | "events"} name
 * @param {string} path
 */
async function readList(name, path) {
  try {
    side[name] = (await get(path)).value;
    delete side.trouble[name];
  } catch (error) {
    side.trouble[name] = messageOf(error);
  }
}

export function eventsPath() {
  const at = readAddress();
  return `events${query({ job: at.job, account: at.job ? at.account : "", top: side.more })}`;
}

export async function readSide() {
  await Promise.all([readList("webhooks", "webhooks"), readList("mutes", "mutes"), readList("events", eventsPath())]);
}
