// The client of a live stream (server-sent events): opens it, keeps it open, and loads what it cannot replay.
// The rules it follows are in docs/CLIENTS.md. It knows nothing of what the events mean.

import { backoff, oneAtATime, pause } from './wait.js';

const EVENTS = ['order.created', 'order.status_changed', 'order.deleted', 'session.completed', 'menu.changed'];
/** How long a stream may take to say `ready`, in milliseconds. */
const PATIENCE = 10_000;
/** How often what is shown is checked against the service, in milliseconds. */
const CHECK_EVERY = 30_000;

/** A stream that stays open. */
export class Live {
  #api;
  #apply;
  #load;
  #check;
  #onState;
  #checkEvery;
  /** The id of the last event seen: where the next stream goes on from. */
  #lastId = null;
  /** Whether the state was loaded since the stream could not be replayed. */
  #loaded = false;
  #pause = null;

  /**
   * - `apply(name, event)` takes one event.
   * - `load()` loads everything there is to show.
   * - `check()` loads what the stream keeps up to date and resolves to whether it brought news.
   * - `onState(state, error)` is told `connecting`, `live` or `reconnecting`.
   */
  constructor({ api, apply, load, check, onState, checkEvery = CHECK_EVERY }) {
    this.#api = api;
    this.#apply = apply;
    this.#load = oneAtATime(load);
    this.#check = check;
    this.#onState = onState;
    this.#checkEvery = checkEvery;
  }

  /** Follow the stream for as long as the page lives. */
  async start() {
    this.#onState('connecting');
    let failures = 0;
    for (;;) {
      const end = await this.#follow(() => (failures = 0));
      if (end === 'token_expired') {
        this.#api.forget();
        if (failures++ === 0) continue;
      }
      this.#onState('reconnecting', end instanceof Error ? end : undefined);
      this.#pause = pause(backoff(failures++));
      await this.#pause;
    }
  }

  /** Something else has just reached the service: try now. */
  hurry() {
    this.#pause?.hurry();
  }

  /** Open one stream and follow it to its end. Resolves to why it ended. */
  async #follow(onLive) {
    let query;
    try {
      // A ticket is good for one stream: `EventSource` cannot send the token, and a token does not belong into a URL.
      const { ticket } = await this.#api.call('POST', `/api/${this.#api.role}/auth/stream-ticket`);
      query = new URLSearchParams({ ticket });
    } catch (error) {
      return error;
    }
    if (this.#lastId !== null) query.set('last_event_id', this.#lastId);
    const source = new EventSource(`/api/${this.#api.role}/orders/stream?${query}`);

    return new Promise((resolve) => {
      const patience = setTimeout(() => end('silent'), PATIENCE);
      let checks;
      const end = (why) => {
        // Else the browser would come back by itself, with a ticket that is used up.
        source.close();
        clearTimeout(patience);
        clearInterval(checks);
        resolve(why);
      };
      const live = () => {
        if (source.readyState === EventSource.CLOSED) return;
        onLive();
        this.#onState('live');
        checks ??= setInterval(check, this.#checkEvery);
      };
      // The stream is open before the load begins, so nothing falls between the two.
      const load = () => {
        this.#loaded = false;
        this.#load().then(() => {
          this.#loaded = true;
          live();
        }, end);
      };
      // A connection can die without a word. When loading brings news that the stream did not, it has.
      const check = () => this.#check().then((news) => news && end('stale'), end);

      source.addEventListener('ready', ({ lastEventId }) => {
        clearTimeout(patience);
        this.#lastId = lastEventId;
        if (this.#loaded) live();
        else load();
      });
      // What was missed cannot be replayed.
      source.addEventListener('resync', load);
      source.addEventListener('token_expired', () => end('token_expired'));
      for (const name of EVENTS) {
        source.addEventListener(name, ({ data, lastEventId }) => {
          this.#apply(name, JSON.parse(data));
          this.#lastId = lastEventId;
        });
      }
      source.onerror = () => end('error');
    });
  }
}
