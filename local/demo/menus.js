// The menu card, kept up to date by loads and `menu.changed`, which may overtake each other.

/** Categories and menus in the order of display. */
export class Menus {
  categories = [];
  #api;
  #menus = new Map();
  #gone = new Set();

  constructor(api) {
    this.#api = api;
  }

  /** Load the whole card. An older answer does not undo a newer event. */
  async load() {
    const [categories, menus] = await Promise.all([
      this.#api.call('GET', '/api/customer/categories'),
      this.#api.call('GET', '/api/customer/menus'),
    ]);
    const known = this.#menus;
    const newest = (menu) => (known.get(menu.id)?.version > menu.version ? known.get(menu.id) : menu);
    this.categories = categories;
    this.#menus = new Map(menus.filter(({ id }) => !this.#gone.has(id)).map((menu) => [menu.id, newest(menu)]));
  }

  /** Take a `menu.changed`. */
  change({ menu_id, deleted, version, is_available, price, category_id }) {
    const menu = this.#menus.get(menu_id);
    if (deleted) {
      this.#gone.add(menu_id);
      this.#menus.delete(menu_id);
    } else if (menu && menu.version < version) {
      this.#menus.set(menu_id, { ...menu, version, is_available, price, category_id });
    }
  }

  /** The service has refused these as sold out. */
  soldOut(ids) {
    for (const id of ids) if (this.#menus.has(id)) this.#menus.get(id).is_available = false;
  }

  /** One menu, if it is on the card. */
  get(id) {
    return this.#menus.get(id);
  }

  /** The menus of a category. */
  ofCategory(id) {
    return [...this.#menus.values()].filter((menu) => menu.category_id === id);
  }
}
