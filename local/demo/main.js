// Which store and table the page shows, and on a small screen which of its two sides.

import { startBoard } from './board.js';
import { byId } from './dom.js';
import { startTablet } from './tablet.js';

const stores = await (await fetch('/demo/stores.json')).json();
const asked = new URLSearchParams(location.search);
const store = stores.find(({ id }) => id === asked.get('store')) ?? stores[0];
const table = store.tables.includes(asked.get('table')) ? asked.get('table') : store.tables[0];

function choose(element, options, chosen, search) {
  element.replaceChildren(...options.map(({ value, text }) => new Option(text, value, false, value === chosen)));
  element.onchange = () => location.assign(`/demo?${new URLSearchParams(search(element.value))}`);
}

choose(
  byId('store'),
  stores.map(({ id, name }) => ({ value: id, text: name })),
  store.id,
  (id) => ({ store: id }),
);
choose(
  byId('table'),
  store.tables.map((number) => ({ value: number, text: `${number}번` })),
  table,
  (number) => ({ store: store.id, table: number }),
);

const views = ['tablet', 'board'];
function show(view) {
  document.body.dataset.view = view;
  for (const other of views) byId(`show-${other}`).setAttribute('aria-pressed', String(other === view));
}
for (const view of views) byId(`show-${view}`).onclick = () => show(view);
show(views.includes(asked.get('view')) ? asked.get('view') : 'tablet');

startTablet(store, table);
startBoard(store);
