// The staff's board: every table with its open orders, live.

import { Api } from './api.js';
import {
  STATUS, ask, byId, elapsed, fromTemplate, keepList, minutesSince, part, setText, showConnection, won,
} from './dom.js';
import { Live } from './live.js';
import { OrderBook, isUnfinished, total } from './orders.js';
import { startPictures } from './pictures.js';

/** The status that follows, and what staff call the step. */
const NEXT = {
  pending: ['preparing', '조리 시작'],
  preparing: ['ready', '조리 완료'],
  ready: ['served', '서빙 완료'],
};
/** Minutes after which an order that still needs somebody is marked as late. */
const LATE = 15;
/** How long a new order stands out, unless it is moved on before, in milliseconds. */
const NEW_FOR = 30_000;

/** Start the board of a store. */
export function startBoard(store) {
  const api = new Api('admin', { store_id: store.id, username: store.username, password: store.password });
  const book = new OrderBook();
  let tables = [];
  let loaded = false;
  let sound = null;
  /** Orders that have been on the board, and those of them that stand out as new. */
  const seen = new Set();
  const fresh = new Set();
  /** Orders and tables with a request under way. */
  const busy = new Set();

  const loadOrders = () =>
    book
      .load(async () => {
        const [listed, orders] = await Promise.all([
          api.call('GET', '/api/admin/tables'),
          api.call('GET', '/api/admin/orders'),
        ]);
        tables = listed;
        return { tables, orders };
      })
      .finally(render);

  const live = new Live({
    api,
    async load() {
      await loadOrders();
      // What is there when the board opens is not new; what comes later is, also when it was missed and loaded.
      if (!loaded) book.all().forEach(({ id }) => seen.add(id));
      loaded = true;
      render();
    },
    check: loadOrders,
    apply(name, event) {
      if (name === 'order.deleted') book.remove(event.order_id);
      else if (name === 'session.completed') book.close(event.session_id);
      else if (name !== 'menu.changed') book.put(event.order);
      render();
    },
    onState(state, error) {
      showConnection(byId('board-connection'), state);
      setText(byId('board-stale'), error?.message ?? '');
      render();
    },
  });

  /** Do something for an order or table, once at a time, and show why it was refused. */
  async function act(key, work) {
    if (busy.has(key)) return;
    busy.add(key);
    setText(byId('board-message'), '');
    render();
    try {
      await work();
    } catch (error) {
      setText(byId('board-message'), error.message);
      if (error.status === 0) live.hurry();
    } finally {
      busy.delete(key);
      render();
    }
  }

  const move = (order, status) =>
    act(order.id, async () => {
      const body = JSON.stringify({ status, version: order.version });
      try {
        book.put(await api.call('PATCH', `/api/admin/orders/${order.id}/status`, { body }));
      } catch (error) {
        if (error.code === 'ORDER_NOT_FOUND') book.remove(order.id);
        const current = error.details?.current;
        if (current) book.put(current);
        // Tapped again after an answer that was lost: it is done.
        if (current?.status !== status) throw error;
      }
    });

  async function cancel(order) {
    const title = `주문 ${order.order_number}번을 취소할까요?`;
    const text = `테이블 ${order.table_number} · ${itemsOf(order)}. 취소한 주문은 되돌릴 수 없습니다.`;
    if ((await ask({ title, text, yes: '주문 취소' })) !== null) await move(order, 'cancelled');
  }

  async function remove(order) {
    const title = `주문 ${order.order_number}번을 삭제할까요?`;
    const text = `테이블 ${order.table_number} · ${itemsOf(order)}. 잘못 들어온 주문만 삭제해 주세요.`;
    const reason = await ask({ title, text, yes: '삭제', wantsReason: true });
    if (reason === null) return;
    await act(order.id, async () => {
      const query = reason ? `?${new URLSearchParams({ reason })}` : '';
      try {
        await api.call('DELETE', `/api/admin/orders/${order.id}${query}`);
      } catch (error) {
        if (error.code !== 'ORDER_NOT_FOUND') throw error;
      }
      book.remove(order.id);
    });
  }

  async function close(table) {
    const orders = book.ofTable(table.id);
    const session = book.sessions.get(table.id);
    const unfinished = orders.filter(isUnfinished).length;
    const left = unfinished > 0 ? `아직 끝나지 않은 주문이 ${unfinished}건 있습니다.` : '모든 주문이 끝났습니다.';
    const title = `테이블 ${table.table_number}의 자리를 정리할까요?`;
    const text = `${left} 주문 ${orders.length}건, 합계 ${won(total(orders))}.`;
    if ((await ask({ title, text, yes: '자리 정리' })) === null) return;
    await act(`table ${table.id}`, async () => {
      // Who was told that nothing is open does not close over an order that came in meanwhile.
      const body = JSON.stringify({ require_finished: unfinished === 0 });
      const done = await api.call('POST', `/api/admin/tables/${table.id}/complete-session`, { body });
      book.close(session);
      book.close(done.session.id);
    });
  }

  function announce(order) {
    fresh.add(order.id);
    setTimeout(() => {
      fresh.delete(order.id);
      render();
    }, NEW_FOR);
    setText(byId('news'), `새 주문 ${order.order_number}번, 테이블 ${order.table_number}: ${itemsOf(order)}`);
    if (sound) chime(sound);
  }

  byId('sound').onclick = () => {
    // Made by a tap, as browsers demand.
    sound = sound ? null : new AudioContext();
    byId('sound').setAttribute('aria-pressed', String(sound !== null));
    setText(byId('sound'), sound ? '알림음 켜짐' : '알림음 꺼짐');
    if (sound) chime(sound);
  };

  function render() {
    const orders = book.all();
    if (loaded) {
      for (const order of orders) {
        if (seen.has(order.id)) continue;
        seen.add(order.id);
        announce(order);
      }
    }
    const count = (status) => orders.filter((order) => order.status === status).length;
    for (const status of ['pending', 'preparing', 'ready']) setText(byId(`count-${status}`), String(count(status)));
    setText(byId('tab-count'), count('pending') > 0 ? String(count('pending')) : '');

    const open = tables.filter(({ id }) => book.sessions.has(id));
    keepList(byId('tables'), open, ({ id }) => id, makeTable, updateTable);
    const free = tables.filter(({ id }) => !book.sessions.has(id));
    keepList(byId('free-tables'), free, ({ id }) => id, () => fromTemplate('free-table'), (card, table) => {
      card.dataset.table = table.id;
      setText(part(card, 'number'), table.table_number);
    });
    byId('board-loading').hidden = loaded;
    byId('board-empty').hidden = !loaded || open.length > 0;
    byId('free').hidden = free.length === 0;
  }

  function makeTable({ id }) {
    const card = fromTemplate('table-card');
    card.dataset.table = id;
    part(card, 'close').onclick = () => close(tables.find((table) => table.id === id));
    return card;
  }

  function updateTable(card, table) {
    const orders = book.ofTable(table.id);
    setText(part(card, 'number'), `테이블 ${table.table_number}`);
    setText(part(card, 'total'), won(total(orders)));
    setText(part(card, 'count'), `주문 ${orders.length}건`);
    part(card, 'close').disabled = busy.has(`table ${table.id}`);
    part(card, 'close').setAttribute('aria-label', `테이블 ${table.table_number} 자리 정리`);
    // What needs somebody first, the oldest on top.
    const sorted = [...orders.filter(isUnfinished), ...orders.filter((order) => !isUnfinished(order))];
    keepList(part(card, 'orders'), sorted, ({ id }) => id, makeTicket, updateTicket);
  }

  function makeTicket({ id }) {
    const ticket = fromTemplate('ticket');
    ticket.dataset.order = id;
    const order = () => book.orders.get(id);
    part(ticket, 'next').onclick = () => move(order(), NEXT[order().status][0]);
    part(ticket, 'cancel').onclick = () => cancel(order());
    part(ticket, 'delete').onclick = () => remove(order());
    return ticket;
  }

  function updateTicket(ticket, order) {
    const unfinished = isUnfinished(order);
    if (order.status !== 'pending') fresh.delete(order.id);
    ticket.dataset.status = order.status;
    ticket.dataset.version = order.version;
    ticket.classList.toggle('fresh', fresh.has(order.id));
    ticket.classList.toggle('late', unfinished && minutesSince(order.created_at) >= LATE);
    setText(part(ticket, 'number'), `${order.order_number}번`);
    setText(part(ticket, 'status'), STATUS[order.status]);
    setText(part(ticket, 'elapsed'), unfinished ? elapsed(order.created_at) : won(order.total_price));
    part(ticket, 'new').hidden = !fresh.has(order.id);
    keepList(part(ticket, 'items'), order.items, ({ id }) => id, () => fromTemplate('item'), (line, item) => {
      setText(part(line, 'name'), item.menu_name);
      setText(part(line, 'quantity'), `× ${item.quantity}`);
      setText(part(line, 'item-note'), item.note ?? '');
    });
    setText(part(ticket, 'note'), order.note ?? '');
    part(ticket, 'note').hidden = !order.note;
    part(ticket, 'actions').hidden = !unfinished;
    setText(part(ticket, 'next'), NEXT[order.status]?.[1] ?? '');
    part(ticket, 'cancel').hidden = order.status === 'ready';
    for (const [name, label] of [['next', NEXT[order.status]?.[1]], ['cancel', '취소'], ['delete', '삭제']]) {
      part(ticket, name).disabled = busy.has(order.id);
      part(ticket, name).setAttribute('aria-label', `주문 ${order.order_number}번 ${label}`);
    }
  }

  // Elapsed times.
  setInterval(render, 15_000);
  render();
  startPictures(api);
  live.start();
}

function itemsOf(order) {
  return order.items.map((item) => `${item.menu_name} ${item.quantity}개`).join(', ');
}

/** Two soft notes. */
function chime(context) {
  for (const [frequency, after] of [[660, 0], [880, 0.14]]) {
    const [tone, volume] = [context.createOscillator(), context.createGain()];
    const begin = context.currentTime + after;
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0.12, begin);
    volume.gain.exponentialRampToValueAtTime(0.001, begin + 0.35);
    tone.connect(volume).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + 0.35);
  }
}
