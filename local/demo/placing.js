// Placing orders so that one tap is one order, whatever happens to the network, the service or this page.
// The rules it follows are in docs/CLIENTS.md.

import { backoff, pause } from './wait.js';

/** The service keeps a key for 24 hours. What is older than this, in milliseconds, is no longer safe to send again. */
const SAFE_FOR = 23 * 60 * 60 * 1000;

/** The orders of one table that are on their way. */
export class Placing {
  #api;
  #prefix;
  #onChange;
  #onPlaced;
  #onRefused;
  #waiting = null;
  /** The orders without a final answer, the oldest first: `{key, body, at}`. */
  pending = [];
  /** Why the last try did not get through, while the next one is waited for. */
  trouble = null;

  /** `table` names the table on this device. `onPlaced(order)` and `onRefused(error)` are told the final answer. */
  constructor({ api, table, onChange, onPlaced, onRefused }) {
    this.#api = api;
    this.#prefix = `table-order.order.${table}.`;
    this.#onChange = onChange;
    this.#onPlaced = onPlaced;
    this.#onRefused = onRefused;
  }

  /** One tap. Ignored while an order is on its way. */
  place(order) {
    if (this.pending.length > 0) return;
    // The text is kept, not the object: the same key must always come with the same request.
    const entry = { key: newKey(), body: JSON.stringify(order), at: Date.now() };
    // Kept before it is sent: the page may be gone before the answer is here.
    localStorage.setItem(this.#prefix + entry.key, JSON.stringify(entry));
    this.pending.push(entry);
    this.#sendAll();
  }

  /** Take up what was on its way when the page was closed or loaded again. */
  resume() {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(this.#prefix));
    const entries = names.map((name) => JSON.parse(localStorage.getItem(name)));
    for (const entry of entries.filter(({ at }) => Date.now() - at > SAFE_FOR)) this.#forget(entry);
    this.pending = entries.filter(({ at }) => Date.now() - at <= SAFE_FOR).sort((one, other) => one.at - other.at);
    if (this.pending.length > 0) this.#sendAll();
  }

  /** Something else has just reached the service: try now. */
  hurry() {
    this.#waiting?.hurry();
  }

  async #sendAll() {
    while (this.pending.length > 0) await this.#send(this.pending[0]);
  }

  /** Send one order until there is a final answer. */
  async #send(entry) {
    this.#onChange();
    for (let failures = 0; ; failures++) {
      try {
        const headers = { 'idempotency-key': entry.key };
        const order = await this.#api.call('POST', '/api/customer/orders', { body: entry.body, headers });
        return this.#finish(entry, () => this.#onPlaced(order));
      } catch (error) {
        if (isFinal(error)) return this.#finish(entry, () => this.#onRefused(error));
        this.trouble = error;
        this.#onChange();
        await this.#waitAfter(error, failures);
      }
    }
  }

  async #waitAfter({ retryAfter }, failures) {
    const wait = backoff(failures);
    // A wait that the service asks for is not cut short.
    if (retryAfter > 0) return new Promise((resolve) => setTimeout(resolve, retryAfter * 1000 + wait / 4));
    this.#waiting = pause(wait);
    await this.#waiting;
    this.#waiting = null;
  }

  #finish(entry, tell) {
    this.#forget(entry);
    this.pending.shift();
    this.trouble = null;
    tell();
    this.#onChange();
  }

  #forget(entry) {
    localStorage.removeItem(this.#prefix + entry.key);
  }
}

/** Whether sending the same again would be refused the same way. A token can be renewed, a limit waited for. */
function isFinal({ status, atLogin }) {
  return !atLogin && status >= 400 && status < 500 && ![401, 408, 425, 429].includes(status);
}

/** A key nobody else has. `randomUUID` exists over HTTPS and on this machine only, not on a LAN address over HTTP. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
