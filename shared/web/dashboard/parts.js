// Links, buttons, what is said for a while, and the dialog: parts that every view uses.

import { h, part, refill } from "./elements.js";
import { count, unbroken } from "./words.js";
import { address, go } from "./address.js";
import { messageOf, post, rounds } from "./api.js";

/**
 * A link within the page; it opens in place, or elsewhere when somebody asks for that.
 * @param {Partial<Address>} change
 * @param {Properties} properties
 * @param {...Child} children
 */
export function link(change, properties, ...children) {
  const follow = (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(change);
  };
  return h("a", { ...properties, href: address(change), click: follow }, ...children);
}

let toastTimer = 0;

/**
 * Say something for a while; in the dialog while one is open, as it hides and mutes everything outside of it.
 * @param {string} words
 * @param {(() => Promise<string>) | null} [undo] what takes it back, offered for longer
 */
export function toast(words, undo = null) {
  const place = document.querySelector("dialog[open] .toast") ?? document.querySelector("body > .toast");
  place?.replaceChildren(words, ...(undo ? [" ", act("Undo", undo)] : []));
  clearTimeout(toastTimer);
  toastTimer = setTimeout(
    () => {
      for (const one of document.querySelectorAll(".toast")) one.textContent = "";
    },
    undo ? 20000 : 6000,
  );
}

/**
 * A button that says what became of what it did; it can't be pressed twice meanwhile, and keeps the focus.
 * @param {string} words
 * @param {() => Promise<string | null | undefined>} work
 * @param {Properties} properties
 * @param {() => Promise<string>} [undo]
 */
export function act(words, work, properties = {}, undo) {
  const press = async (/** @type {MouseEvent} */ event) => {
    const button = /** @type {HTMLElement} */ (event.currentTarget);
    if (button.hasAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    try {
      const told = await work();
      if (told) toast(told, undo);
    } catch (error) {
      toast(messageOf(error));
    } finally {
      button.removeAttribute("aria-disabled");
    }
  };
  return h("button", { type: "button", class: "small", ...properties, click: press }, words);
}

/**
 * A button that puts a text into the clipboard.
 * @param {string} text
 * @param {string} what
 */
export function copyButton(text, what, label = "Copy") {
  const copy = async () => {
    if (!navigator.clipboard)
      return "This browser copies only from pages that came over https: select the text instead.";
    await navigator.clipboard.writeText(text);
    return `Copied: ${what}.`;
  };
  return act(label, copy, { class: "small copy", "aria-label": `Copy ${what}`, "data-focus": `copy ${what}` });
}

const SHORT_WORDS = /(?<!\S)(\S{1,20})(?!\S)/;

/**
 * A command that can be copied as it stands; no line ends within an option.
 * @param {string} text
 * @param {string} what
 */
export function command(text, what) {
  const shown = h("pre", { tabindex: 0 }, h("code", {}, unbroken(text, SHORT_WORDS)));
  return h("div", { class: "command" }, shown, copyButton(text, what));
}

/**
 * The words as a link to a page of the Azure portal; without an address the words alone.
 * @param {string | null | undefined} address
 * @param {string} words
 */
export function portalLink(address, words) {
  if (!address) return words;
  const title = "Open in the Azure portal";
  return h(
    "a",
    { href: address, target: "_blank", rel: "noreferrer", title, "aria-label": `${words} in the Azure portal` },
    words,
  );
}

const frame = /** @type {HTMLDialogElement} */ (part("dialog"));

/**
 * @param {string} title
 * @param {...Child} body
 */
export function dialog(title, ...body) {
  const close = h("button", { type: "button", class: "small", click: closeDialog }, "Close");
  refill(part("dialog-content"), () => [
    h("header", {}, h("h2", { id: "dialog-title", tabindex: -1, autofocus: true }, title), close),
    h("div", { class: "body" }, ...body),
  ]);
  if (!frame.open) frame.showModal();
}

export function closeDialog() {
  frame.close();
}

/** What can be done about undeliverable messages: send them again, or dismiss them. */
export function aboutGivenUp() {
  const button = (
    /** @type {string} */ label,
    /** @type {string} */ path,
    /** @type {object} */ body,
    /** @type {(told: any) => string} */ words,
  ) =>
    act(
      label,
      async () => {
        const told = await post(path, body);
        await rounds.reread();
        return `${words(told)}${told.more ? ", more remain: press again" : ""}.`;
      },
      { "data-focus": path },
    );
  return h(
    "span",
    { class: "acts" },
    button(
      "Send undeliverable again",
      "redeliveries",
      { state: "dead" },
      (told) => `${count(told.queued, "message")} will be sent again`,
    ),
    button("Dismiss undeliverable", "dismissals", {}, (told) => `${count(told.dismissed, "message")} dismissed`),
  );
}
