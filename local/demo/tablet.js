// The tablet of one table: the menu card, the cart, and what was ordered.

import { Api } from './api.js';
import { STATUS, byId, fromTemplate, keepList, part, setText, showConnection, won } from './dom.js';
import { Live } from './live.js';
import { Menus } from './menus.js';
import { OrderBook, total } from './orders.js';
import { Placing } from './placing.js';
import { oneAtATime } from './wait.js';

/** The most of one menu that an order may have. */
const MOST = 100;
/** How far an order has come, of four steps. */
const STEPS = { pending: 1, preparing: 2, ready: 3, served: 4, cancelled: 0 };

/** Start the tablet of a table. */
export function startTablet(store, tableNumber) {
  const credentials = { store_id: store.id, table_number: tableNumber, password: store.table_password };
  const api = new Api('customer', credentials);
  const book = new OrderBook();
  const menus = new Menus(api);
  /** Menu id → quantity. */
  const cart = new Map();
  let category = null;
  /** Whether orders and menus have been loaded once. */
  let loaded = false;

  const loadOrders = () => book.load(() => openOrders(api)).finally(render);
  const loadMenus = oneAtATime(() => menus.load().finally(render));
  const show = (text, kind = '') => {
    const message = byId('order-message');
    setText(message, text);
    message.dataset.kind = kind;
  };

  const placing = new Placing({
    api,
    table: `${store.id}.${tableNumber}`,
    onChange: render,
    onPlaced(order) {
      cart.clear();
      byId('order-note').value = '';
      show(`주문 ${order.order_number}번이 접수되었습니다.`, 'good');
      live.hurry();
      // Sent again, an order gets its first answer, which may be long out of date: what is shown is loaded.
      loadOrders().catch(() => {});
    },
    onRefused(error) {
      // The cart stays: the guest takes out what cannot be had and orders again.
      show(error.message, 'bad');
      menus.soldOut(error.details.menu_ids ?? []);
      loadMenus().catch(() => {});
    },
  });

  const live = new Live({
    api,
    async load() {
      await Promise.all([loadMenus(), loadOrders()]);
      loaded = true;
      render();
    },
    check: loadOrders,
    apply(name, event) {
      if (name === 'menu.changed') {
        menus.change(event);
        // The event tells price and availability; name and place on the card have to be loaded.
        loadMenus().catch(() => {});
      } else if (name === 'order.deleted') {
        book.remove(event.order_id);
      } else if (name === 'session.completed') {
        book.close(event.session_id);
        if (placing.pending.length === 0) cart.clear();
        show('자리가 정리되었습니다. 이용해 주셔서 감사합니다.');
      } else {
        book.put(event.order);
      }
      render();
    },
    onState(state, error) {
      showConnection(byId('tablet-connection'), state);
      if (state === 'live') placing.hurry();
      setText(byId('menus-empty'), error?.message ?? '');
      render();
    },
  });

  function add(menuId, by) {
    const quantity = Math.min(MOST, (cart.get(menuId) ?? 0) + by);
    if (quantity > 0) cart.set(menuId, quantity);
    else cart.delete(menuId);
    show('');
    render();
  }

  byId('order').onclick = () => {
    const items = [...cart].map(([menu_id, quantity]) => ({ menu_id, quantity }));
    if (items.length === 0) return;
    const note = byId('order-note').value.trim();
    show('');
    placing.place({ items, ...(note && { note }) });
  };

  function render() {
    const sending = placing.pending.length > 0;
    renderMenus(sending);
    renderCart(sending);
    renderOrders();
  }

  function renderMenus(sending) {
    if (!menus.categories.some(({ id }) => id === category)) category = menus.categories[0]?.id ?? null;
    const makeTab = ({ id }) => {
      const tab = fromTemplate('category');
      tab.onclick = () => {
        category = id;
        render();
      };
      return tab;
    };
    keepList(byId('categories'), menus.categories, ({ id }) => id, makeTab, (tab, { id, name }) => {
      setText(tab, name);
      tab.setAttribute('aria-pressed', String(id === category));
    });

    const shown = menus.ofCategory(category);
    const make = (menu) => {
      const card = fromTemplate('menu');
      card.dataset.menu = menu.id;
      card.onclick = () => add(menu.id, 1);
      return card;
    };
    keepList(byId('menus'), shown, ({ id }) => id, make, (card, menu) => {
      setText(part(card, 'name'), menu.name);
      setText(part(card, 'description'), menu.description ?? '');
      setText(part(card, 'price'), won(menu.price));
      const picture = part(card, 'picture');
      picture.hidden = !menu.thumbnail_url;
      if (menu.thumbnail_url && picture.src !== menu.thumbnail_url) picture.src = menu.thumbnail_url;
      const quantity = cart.get(menu.id) ?? 0;
      setText(part(card, 'add'), menu.is_available ? (quantity > 0 ? `담음 ${quantity}` : '담기') : '품절');
      card.classList.toggle('sold-out', !menu.is_available);
      card.classList.toggle('chosen', quantity > 0);
      card.disabled = !menu.is_available || sending;
    });
    byId('menus-loading').hidden = loaded || byId('tablet').dataset.connection === 'reconnecting';
    byId('menus-empty').hidden = loaded && shown.length > 0;
    if (loaded && shown.length === 0) setText(byId('menus-empty'), '아직 등록된 메뉴가 없습니다.');
  }

  function renderCart(sending) {
    const lines = [...cart].map(([id, quantity]) => ({ id, quantity, menu: menus.get(id) }));
    const make = ({ id }) => {
      const line = fromTemplate('cart-line');
      line.dataset.cart = id;
      part(line, 'less').onclick = () => add(id, -1);
      part(line, 'more').onclick = () => add(id, 1);
      return line;
    };
    keepList(byId('cart'), lines, ({ id }) => id, make, (line, { quantity, menu }) => {
      const name = menu?.name ?? '메뉴';
      setText(part(line, 'name'), name);
      setText(part(line, 'price'), menu?.is_available === false ? '품절' : won((menu?.price ?? 0) * quantity));
      setText(part(line, 'quantity'), String(quantity));
      line.classList.toggle('sold-out', menu?.is_available === false);
      for (const [button, label] of [['less', '빼기'], ['more', '더하기']]) {
        part(line, button).setAttribute('aria-label', `${name} 하나 ${label}`);
        part(line, button).disabled = sending;
      }
    });
    const sum = lines.reduce((sum, { quantity, menu }) => sum + (menu?.price ?? 0) * quantity, 0);
    byId('cart-empty').hidden = lines.length > 0;
    byId('order-note').disabled = sending;
    byId('order').disabled = sending || lines.length === 0;
    byId('order').classList.toggle('sending', sending);
    setText(byId('order'), sending ? '주문을 보내는 중…' : lines.length > 0 ? `${won(sum)} 주문하기` : '주문하기');
    if (sending && placing.trouble) {
      show('아직 주문을 보내지 못했습니다. 연결되는 대로 자동으로 한 번만 보냅니다.', 'wait');
    }
  }

  function renderOrders() {
    const orders = book.all().reverse();
    const make = (order) => {
      const ticket = fromTemplate('own-order');
      ticket.dataset.order = order.id;
      return ticket;
    };
    keepList(byId('own-orders'), orders, ({ id }) => id, make, (ticket, order) => {
      ticket.dataset.status = order.status;
      setText(part(ticket, 'number'), `${order.order_number}번`);
      setText(part(ticket, 'status'), STATUS[order.status]);
      setText(part(ticket, 'items'), order.items.map((item) => `${item.menu_name} ${item.quantity}`).join(', '));
      setText(part(ticket, 'total'), won(order.total_price));
      [...part(ticket, 'steps').children].forEach((step, index) => {
        step.classList.toggle('done', index < STEPS[order.status]);
      });
    });
    byId('own-orders-empty').hidden = orders.length > 0;
    setText(byId('own-total'), orders.length > 0 ? won(total(orders)) : '');
  }

  // An order that was on its way when the page was closed is shown as it was sent.
  placing.resume();
  if (placing.pending.length > 0) {
    const { items, note } = JSON.parse(placing.pending[0].body);
    for (const { menu_id, quantity } of items) cart.set(menu_id, quantity);
    byId('order-note').value = note ?? '';
  }
  render();
  live.start();
}

/** All orders of the open session, page by page; from the start again if orders came or went in between. */
async function openOrders(api) {
  for (;;) {
    const orders = new Map();
    let count, pages;
    for (let page = 1; page === 1 || page <= pages; page++) {
      const { items, pagination } = await api.call('GET', `/api/customer/orders?page=${page}&page_size=100`);
      count ??= pagination.total_count;
      pages = pagination.total_pages;
      for (const order of items) orders.set(order.id, order);
      if (pagination.total_count !== count) break;
    }
    if (orders.size === count) return { orders: [...orders.values()] };
  }
}
