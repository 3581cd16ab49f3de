// The open orders, put together from loads, events and answers, which may overtake each other.
// Pure bookkeeping: no network, no page.

/** How many deleted orders and closed sessions are remembered. */
const REMEMBERED = 5_000;

/** What is open now. Of every order the greatest version counts; what is gone does not come back. */
export class OrderBook {
  /** The open orders by id. */
  orders = new Map();
  /** The open session of each table that has one: table id → session id. */
  sessions = new Map();

  // Tombstones: a late event, or a load that was under way, must not bring these back.
  #goneOrders = new Set();
  #goneSessions = new Set();
  /** For each load under way: what was first heard of since it began. */
  #loads = new Set();

  /** Take an order as an event, an answer or a load tells it. Returns whether that was news. */
  put(order) {
    if (this.#goneOrders.has(order.id) || this.#goneSessions.has(order.session_id)) return false;
    this.#open(order.table_id, order.session_id);
    const known = this.orders.get(order.id);
    if (known && known.version >= order.version) return false;
    if (!known) for (const load of this.#loads) load.orders.add(order.id);
    this.orders.set(order.id, order);
    return true;
  }

  /** An order was deleted. */
  remove(id) {
    this.orders.delete(id);
    remember(this.#goneOrders, id);
  }

  /** A session is over, and its orders with it. */
  close(sessionId) {
    remember(this.#goneSessions, sessionId);
    for (const [table, session] of this.sessions) if (session === sessionId) this.sessions.delete(table);
    for (const [id, order] of this.orders) if (order.session_id === sessionId) this.orders.delete(id);
  }

  /**
   * Load: `read` resolves to all open `orders` and, for staff, all `tables`. What was known before the load began and
   * is not in it is gone. Returns whether the load brought news.
   */
  async load(read) {
    const load = { orders: new Set(), sessions: new Set() };
    this.#loads.add(load);
    try {
      const { orders, tables = [] } = await read();
      const listed = new Set(orders.map((order) => order.id));
      const vanished = [...this.orders.keys()].filter((id) => !listed.has(id) && !load.orders.has(id));
      const ended = tables
        .map((table) => [this.sessions.get(table.id), table.session?.id])
        .filter(([known, told]) => known !== undefined && known !== told && !load.sessions.has(known));
      vanished.forEach((id) => this.remove(id));
      ended.forEach(([known]) => this.close(known));
      for (const { id, session } of tables) if (session) this.#open(id, session.id);
      const news = orders.map((order) => this.put(order));
      return vanished.length > 0 || ended.length > 0 || news.includes(true);
    } finally {
      this.#loads.delete(load);
    }
  }

  /** A table's open orders, the oldest first. */
  ofTable(tableId) {
    return this.all().filter((order) => order.table_id === tableId);
  }

  /** Every open order, the oldest first. */
  all() {
    return [...this.orders.values()].sort((one, other) => one.id - other.id);
  }

  #open(tableId, sessionId) {
    const known = this.sessions.get(tableId) ?? 0;
    if (this.#goneSessions.has(sessionId) || sessionId <= known) return;
    this.sessions.set(tableId, sessionId);
    for (const load of this.#loads) load.sessions.add(sessionId);
  }
}

/** What the orders come to: cancelled ones count nothing. */
export function total(orders) {
  return orders.reduce((sum, order) => sum + (order.status === 'cancelled' ? 0 : order.total_price), 0);
}

/** Whether an order still needs somebody. */
export function isUnfinished(order) {
  return order.status !== 'served' && order.status !== 'cancelled';
}

function remember(tombstones, id) {
  tombstones.add(id);
  if (tombstones.size > REMEMBERED) tombstones.delete(tombstones.values().next().value);
}
