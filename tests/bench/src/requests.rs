//! The requests, as bytes.

use std::io::Write;

use crate::data::{Data, PASSWORD, Store, Table};

/// The path of the menu list.
pub(crate) const MENUS: &str = "/api/customer/menus";

/// `GET /api/customer/menus` from the tablets of all stores in turn, or the same request to another path: the store's
/// position.
pub(crate) fn menu_lists(data: &Data, path: impl Fn(usize) -> String) -> Vec<Vec<u8>> {
    let tables = data.stores.first().map_or(0, |store| store.tables.len());
    let all =
        (0..tables).flat_map(|table| data.stores.iter().enumerate().map(move |(store, at)| (store, &at.tables[table])));
    all.map(|(store, table)| get(&path(store), &table.token)).collect()
}

/// `GET /api/admin/dashboard` of the store with many tables.
pub(crate) fn dashboard(data: &Data) -> Vec<u8> {
    get("/api/admin/dashboard", &data.staff)
}

/// A customer's login at one of the tables in turn.
pub(crate) fn login(data: &Data, number: u64, request: &mut Vec<u8>) {
    let store = &data.stores[number as usize % data.stores.len()];
    let table = &store.tables[number as usize / data.stores.len() % store.tables.len()];
    let (id, table) = (store.id(), &table.number);
    let body = format!(r#"{{"store_id":"{id}","table_number":"{table}","password":"{PASSWORD}"}}"#);
    post("/api/customer/auth/login", "", &body, request);
}

/// An order of one to three items at any table of any of the stores, each as likely as another.
pub(crate) fn order(stores: &[Store], random: &mut fastrand::Rng, request: &mut Vec<u8>) {
    let store = &stores[random.usize(..stores.len())];
    let table = &store.tables[random.usize(..store.tables.len())];
    let items = random.usize(1..=3);
    order_at(store, table, items, &key(random), random, request);
}

/// An order at a table.
pub(crate) fn order_at(
    store: &Store,
    table: &Table,
    items: usize,
    key: &str,
    random: &mut fastrand::Rng,
    request: &mut Vec<u8>,
) {
    let body = order_body(store, items, random);
    let headers = format!("authorization: Bearer {}\r\nidempotency-key: {key}\r\n", table.token);
    post("/api/customer/orders", &headers, &body, request);
}

/// The body of an order.
pub(crate) fn order_body(store: &Store, items: usize, random: &mut fastrand::Rng) -> String {
    let items: Vec<_> = store
        .draw_menus(random, items)
        .enumerate()
        .map(|(position, menu_id)| {
            let note = if position == 0 { r#","note":"덜 맵게 해 주세요""# } else { "" };
            format!(r#"{{"menu_id":{menu_id},"quantity":{}{note}}}"#, position + 1)
        })
        .collect();
    format!(r#"{{"items":[{}]}}"#, items.join(","))
}

/// A new idempotency key: a number of 19 digits.
pub(crate) fn key(random: &mut fastrand::Rng) -> String {
    random.i64(1_000_000_000_000_000_000..=i64::MAX).to_string()
}

/// A request for this path.
pub(crate) fn get(path: &str, token: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\nauthorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

/// A request with this JSON, and headers that end with a line break each.
pub(crate) fn post(path: &str, headers: &str, body: &str, request: &mut Vec<u8>) {
    let length = body.len();
    // Writing to memory cannot fail.
    let _ = write!(
        request,
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         {headers}\r\n{body}"
    );
}
