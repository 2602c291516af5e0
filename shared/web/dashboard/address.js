// What is looked at is in the address, so that a link shows somebody else the same.

export const PARAMETERS = ["account", "job", "pool", "node", "event", "q", "show", "sort", "by"];

/** @returns {Address} */
export function readAddress() {
  const query = new URLSearchParams(location.search);
  return /** @type {Address} */ (Object.fromEntries(PARAMETERS.map((name) => [name, query.get(name) ?? ""])));
}

/** @param {Partial<Address>} change */
export function address(change) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...readAddress(), ...change })) if (value) query.set(name, value);
  return `?${query}`;
}

/** @param {Partial<Address>} change */
export function go(change, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", address(change));
  dispatchEvent(new Event("addresschange"));
}
