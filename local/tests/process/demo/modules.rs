//! The rules of the page's modules, asked of each by itself in a browser.

use serde_json::json;

use super::Service;

/// The rules of merging, one by one, asked of its module.
#[tokio::test]
async fn late_events_and_old_loads_bring_nothing_back() {
    let service = Service::start().await;
    let page = service.page("1").await;
    let failures = page
        .run_async(
            r"
            const { OrderBook } = await import('/demo/orders.js');
            const order = (id, version, session_id = 1, table_id = 1) => ({ id, version, session_id, table_id });
            const failures = [];
            const book = (...orders) => {
              const book = new OrderBook();
              orders.forEach((one) => book.put(one));
              return book;
            };
            const is = (rule, book, ...expected) => {
              const held = book.all().map(({ id, version }) => `${id}v${version}`).join(' ');
              if (held !== expected.join(' ')) failures.push(`${rule}: ${held}`);
            };
            // A load that ends when it is told to.
            const begin = (book) => {
              let finish;
              const loaded = book.load(() => new Promise((resolve) => (finish = resolve)));
              return async (...orders) => (finish({ orders }), loaded);
            };
            let b = book(order(1, 2), order(1, 1));
            is('an older event', b, '1v2');
            b = book(order(1, 1));
            let end = begin(b);
            b.put(order(1, 2));
            await end(order(1, 1));
            is('an older load', b, '1v2');
            b = book(order(1, 1));
            b.remove(1);
            b.put(order(1, 2));
            is('a late event of a deleted order', b);
            b = book(order(1, 1));
            end = begin(b);
            b.remove(1);
            await end(order(1, 1));
            is('a load begun before a deletion', b);
            b = book(order(1, 1), order(2, 1, 2, 2));
            end = begin(b);
            b.close(1);
            await end(order(1, 1), order(2, 1, 2, 2));
            b.put(order(3, 1, 1));
            is('a load and an event of a closed session', b, '2v1');
            b = book();
            end = begin(b);
            b.put(order(5, 1));
            await end();
            is('an order placed after the load was read', b, '5v1');
            b = book(order(1, 1), order(2, 1));
            end = begin(b);
            await end(order(2, 1));
            b.put(order(1, 2));
            is('an order that a load no longer has', b, '2v1');
            b = book(order(1, 1));
            const older = begin(b);
            const newer = begin(b);
            await newer(order(1, 1), order(2, 1));
            await older(order(1, 1));
            is('an older load that ends last', b, '1v1', '2v1');
            b = book(order(1, 1));
            if (await begin(b)(order(1, 1))) failures.push('nothing new is news');
            if (!(await begin(b)(order(1, 2)))) failures.push('a newer version is no news');
            if (!(await begin(b)())) failures.push('a deletion is no news');
            b = book();
            await b.load(async () => ({ orders: [], tables: [{ id: 1, session: { id: 7 } }, { id: 2, session: null }] }));
            if (b.sessions.get(1) !== 7 || b.sessions.has(2)) failures.push('sessions are not loaded');
            await b.load(async () => ({ orders: [], tables: [{ id: 1, session: null }] }));
            b.put(order(9, 1, 7));
            if (b.sessions.size > 0) failures.push('a session that a load no longer has came back');
            is('an order of it', b);
            return failures;
            ",
        )
        .await;
    assert_eq!(failures, json!([]));
    page.close(&service.url).await;
}

/// The rules of staying connected, asked of its module with a stream that we play.
#[tokio::test]
async fn a_stream_is_reopened_with_a_new_ticket_where_it_broke_off() {
    let service = Service::start().await;
    let page = service.page("1").await;
    let told = page
        .run_async(
            r"
            const { Live } = await import('/demo/live.js');
            const { EventSource } = window;
            const told = [];
            let source, turn, ticket = 0, news = false, failing = false;
            // The next thing the client does that the test waits for.
            const next = () => new Promise((resolve) => (turn = resolve));
            const tell = (what) => (told.push(what), turn?.());
            window.EventSource = class extends EventTarget {
              static CLOSED = 2;
              readyState = 0;
              constructor(url) { super(); source = this; tell(`open ${url.split('stream?')[1]}`); }
              close() { this.readyState = 2; tell('close'); }
              say(name, lastEventId, data = {}) {
                this.dispatchEvent(new MessageEvent(name, { lastEventId, data: JSON.stringify(data) }));
              }
            };
            Math.random = () => 0;
            const api = {
              role: 'admin',
              call: async () => ({ ticket: `t${++ticket}` }),
              forget: () => tell('forget the token'),
            };
            const load = async () => { tell('load'); if (failing) throw new Error('no answer'); };
            const check = async () => (tell('check'), news);
            const apply = (name, event) => tell(`${name} ${event.id}`);
            const live = new Live({ api, load, check, apply, onState: (state) => tell(state), checkEvery: 20 });
            let read = 0;
            const until = async (what) => {
              while (!told.slice(read).includes(what)) await next();
              read = told.indexOf(what, read) + 1;
            };

            live.start();
            await until('open ticket=t1');
            failing = true;
            source.say('ready', 'a-0');
            await until('open ticket=t2&last_event_id=a-0');
            failing = false;
            source.say('ready', 'a-0');
            await until('live');
            source.say('order.created', 'a-1', { id: 1 });
            source.onerror();
            await until('open ticket=t3&last_event_id=a-1');
            source.say('ready', 'a-1');
            source.say('order.created', 'a-2', { id: 2 });
            source.say('token_expired', 'a-2');
            await until('open ticket=t4&last_event_id=a-2');
            source.say('ready', 'b-0');
            source.say('resync', 'b-0');
            await until('load');
            await until('check');
            news = true;
            await until('open ticket=t5&last_event_id=b-0');
            window.EventSource = EventSource;
            return told.filter((what) => what !== 'check');
            ",
        )
        .await;
    let expected = [
        "connecting",
        "open ticket=t1",
        "load",
        "close",
        "reconnecting",
        // Nothing was loaded yet: loaded now.
        "open ticket=t2&last_event_id=a-0",
        "load",
        "live",
        "order.created 1",
        "close",
        "reconnecting",
        // What was missed is replayed: nothing to load.
        "open ticket=t3&last_event_id=a-1",
        "live",
        "order.created 2",
        "close",
        "forget the token",
        "open ticket=t4&last_event_id=a-2",
        "live",
        // Nothing can be replayed: loaded again.
        "load",
        "live",
        // A check brought news that the stream had not.
        "close",
        "reconnecting",
        "open ticket=t5&last_event_id=b-0",
    ];
    assert_eq!(told, json!(expected));
    page.close(&service.url).await;
}
