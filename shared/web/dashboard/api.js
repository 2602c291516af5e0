// Requests to the API beside this page: the key, ETags and errors.

export const KEY = "prepwatch.key";
const API = new URL(".", location.href.split("?")[0]);
export const tags = new Map();
/** Milliseconds: longer than the platform lets a request go on. */
const LONGEST = 240_000;

export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {ErrorDetail[]} details
   */
  constructor(status, code, message, details = []) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function call(method, path, body) {
  /** @type {Record<string, string>} */
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers["x-functions-key"] = key;
  const known = method === "GET" ? tags.get(path) : undefined;
  if (known) headers["if-none-match"] = known.tag;
  if (body !== undefined) headers["content-type"] = "application/json";
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(), LONGEST);
  let answer;
  let text;
  try {
    answer = await fetch(new URL(path, API), {
      method,
      headers,
      cache: "no-store",
      redirect: "manual",
      signal: waiting.signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await answer.text();
  } catch {
    const words = waiting.signal.aborted ? "The app has not answered for 4 minutes." : "The app can't be reached.";
    throw new ApiError(0, "NoAnswer", words);
  } finally {
    clearTimeout(timer);
  }
  // The API redirects nobody: this is the platform, which leads to its page for signing in.
  if (answer.type === "opaqueredirect")
    throw new ApiError(0, "NotSignedIn", "You are not signed in any more: reload this page.");
  if (answer.status === 304 && known) return known.body;
  let content = null;
  try {
    content = text ? JSON.parse(text) : null;
  } catch {
    /* an answer of something between us and the app */
  }
  if (!answer.ok) {
    const error = content?.error;
    const words =
      error?.message ?? (answer.status === 401 ? "The key is missing or wrong." : `The app answered ${answer.status}.`);
    throw new ApiError(answer.status, error?.code ?? "", words, error?.details ?? []);
  }
  const tag = answer.headers.get("etag");
  if (method === "GET" && tag) tags.set(path, { tag, body: content });
  return content;
}

/** @param {string} path */
export const get = (path) => call("GET", path);
/**
 * @param {string} path
 * @param {unknown} [body]
 */
export const post = (path, body) => call("POST", path, body);

/** @param {Record<string, string | number | null | undefined>} parameters */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/** @param {string} job */
export const nodesPath = (job, rest = "") => `jobs/${encodeURIComponent(job)}/nodes${rest}`;

/**
 * Where the next page of a list is.
 * @param {string} path of this one
 * @param {string} nextLink
 */
export const nextPath = (path, nextLink) => path.split("?")[0] + new URL(nextLink).search;

/**
 * All pages of a list; `each` sees what has come so far after every page.
 * @param {string} path
 * @param {(all: any[]) => boolean} each
 */
export async function getAll(path, each) {
  const all = [];
  /** @type {string | null} */
  let next = path;
  while (next) {
    const page = await get(next);
    all.push(...page.value);
    if (each(all) === false) return;
    next = page.nextLink ? nextPath(path, page.nextLink) : null;
  }
}

/**
 * What there is to say about whatever was thrown.
 * @param {unknown} error
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** How the page is drawn anew, and everything asked for again; main.js says how. */
/** `refresh` shows again what is known, `reread` asks anew and shows that. */
export const rounds = { refresh: () => {}, reread: async () => {} };
