//! The demo page, used in a browser.

mod modules;
mod pictures;

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::testing::TestDatabase;
use sqlx::{Connection, PgConnection};
use thirtyfour::prelude::By;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::browser::Page;
use crate::running::{Folder, PATIENCE, Running, STORE, program};

/// The second demo store.
const OTHER_STORE: &str = "22222222-2222-4222-8222-222222222222";

/// The service on a database that outlives it, and a port that it comes back to.
struct Service {
    running: Option<Running>,
    url: String,
    /// The token of the first store's admin.
    admin: String,
    // Dropped after the service.
    database: TestDatabase,
    folder: Folder,
}

/// A database with the demo data, made once for all tests: hashing its passwords takes a second.
async fn seeded() -> TestDatabase {
    static SEEDED: OnceCell<TestDatabase> = OnceCell::const_new();
    let seeded = SEEDED.get_or_init(async || {
        let (folder, database) = (Folder::new(), TestDatabase::create().await);
        let output = program(&folder, "seed").env("DATABASE_URL", database.url()).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        database
    });
    seeded.await.copy().await
}

impl Service {
    async fn start() -> Self {
        let (folder, database) = (Folder::new(), seeded().await);
        let running = Running::start(Self::command(&folder, &database, "0")).await;
        let (url, admin) = (running.url.clone(), running.admin().await);
        Self { running: Some(running), url, admin, database, folder }
    }

    fn command(folder: &Folder, database: &TestDatabase, port: &str) -> Command {
        let mut command = program(folder, "run");
        command.env("DATABASE_URL", database.url()).env("PORT", port).env("RATE_LIMIT_PER_MINUTE", "1000000");
        command.env("LOG_LEVEL", "warn");
        command
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Kill it as a power cut would.
    async fn kill(&mut self) {
        self.running.take().unwrap().process.kill().await.unwrap();
    }

    /// Start it again where it was.
    async fn start_again(&mut self) {
        let port = self.url.rsplit(':').next().unwrap();
        self.running = Some(Running::start(Self::command(&self.folder, &self.database, port)).await);
        assert_eq!(self.running().url, self.url);
    }

    /// Another process of the service, on the same database.
    async fn neighbour(&self) -> Running {
        Running::start(Self::command(&self.folder, &self.database, "0")).await
    }

    /// The page of a table of the first store, and the board.
    async fn page(&self, table: &str) -> Page {
        let page = Page::open(&format!("{}/demo?table={table}", self.url)).await;
        connected(&page).await;
        page
    }

    /// What staff ask the API.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        self.ask_at(self.running(), method, path, body).await
    }

    /// The same, of another process.
    async fn ask_at(&self, running: &Running, method: &str, path: &str, body: Value) -> Value {
        let request = running.client.request(method.parse().unwrap(), format!("{}/api/admin{path}", running.url));
        let answer = request.bearer_auth(&self.admin).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    /// The open orders as the API tells them: number, status and version, the newest first.
    async fn orders(&self) -> Value {
        let orders = self.ask("GET", "/orders", Value::Null).await;
        let told = |order: &Value| json!([order["order_number"], order["status"], order["version"]]);
        orders.as_array().unwrap().iter().map(told).collect()
    }

    /// The board shows what the API says, no more and no less.
    async fn agrees_with(&self, page: &Page) {
        let told = self.orders().await;
        page.until(&format!("JSON.stringify({SHOWN}) === {}", json!(told.to_string()))).await;
    }
}

/// Wait until both sides of the page are live.
async fn connected(page: &Page) {
    page.sees("#tablet-connection", &["연결됨"]).await;
    page.sees("#board-connection", &["연결됨"]).await;
}

/// The open orders as the board shows them: number, status and version, the newest first.
const SHOWN: &str = "[...document.querySelectorAll('.ticket')]
    .map((ticket) => [parseInt(ticket.querySelector('b').innerText), ticket.dataset.status, Number(ticket.dataset.version)])
    .sort((one, other) => other[0] - one[0])";

const ORDER: &str = "#order";

#[tokio::test]
async fn an_order_is_seen_on_the_board_at_once_and_its_progress_at_the_table() {
    let service = Service::start().await;
    let page = service.page("1").await;
    page.sees("#menus", &["김치찌개", "9,000원"]).await;
    page.sees("#cart-empty", &["담아"]).await;
    page.sees("#board-empty", &["진행 중인 주문이 없습니다"]).await;

    page.tap("[data-menu='1']").await;
    page.tap("[data-menu='1']").await;
    page.tap("#categories [data-key='4']").await;
    page.tap("[data-menu='11']").await;
    page.tap("[data-cart='11'] [data-part=more]").await;
    page.tap("[data-cart='11'] [data-part=less]").await;
    page.write("#order-note", "덜 맵게 해 주세요").await;
    page.sees(ORDER, &["23,000원"]).await;
    page.tap(ORDER).await;

    page.sees(".table-card[data-table='1'] .ticket.fresh", &["1번", "접수", "김치찌개 × 2", "소주 × 1"]).await;
    page.sees(".ticket-note", &["덜 맵게 해 주세요"]).await;
    page.sees(".table-card[data-table='1'] header", &["테이블 1", "23,000원"]).await;
    page.sees("#news", &["새 주문 1번", "테이블 1"]).await;
    page.sees(".own-order", &["1번", "접수", "23,000원"]).await;
    page.sees("#order-message", &["1번이 접수"]).await;
    page.sees("#cart-empty", &["담아"]).await;

    for (step, status) in [("조리 시작", "조리 중"), ("조리 완료", "조리 완료"), ("서빙 완료", "서빙 완료")]
    {
        page.sees(".ticket [data-part=next]", &[step]).await;
        page.tap(".ticket [data-part=next]").await;
        page.sees(".own-order", &[status]).await;
    }
    service.agrees_with(&page).await;
    page.close(&service.url).await;
}

#[tokio::test]
async fn staff_cancel_delete_and_close_a_table_after_being_asked() {
    let service = Service::start().await;
    let page = service.page("1").await;
    let token = service.running().table().await;
    for _ in 0..3 {
        assert_eq!(service.running().order(&token).await.unwrap().status(), StatusCode::CREATED);
    }
    page.sees(".table-card", &["주문 3건", "54,000원"]).await;

    page.tap("[data-order='1'] [data-part=cancel]").await;
    page.sees("#ask", &["1번을 취소할까요"]).await;
    page.tap("#ask [data-part=no]").await;
    page.tap("[data-order='1'] [data-part=cancel]").await;
    page.tap("#ask [data-part=yes]").await;
    page.sees(".ticket[data-order='1']", &["취소됨"]).await;
    page.sees(".own-order[data-order='1']", &["취소됨"]).await;
    page.sees(".table-card", &["주문 3건", "36,000원"]).await;

    page.tap("[data-order='2'] [data-part=delete]").await;
    page.write("#ask input", "잘못 눌렀어요").await;
    page.tap("#ask [data-part=yes]").await;
    page.loses("[data-order='2']").await;
    let mut db = PgConnection::connect_with(&service.database.options()).await.unwrap();
    let reason =
        sqlx::query_scalar::<_, String>("select details ->> 'reason' from audit_entries where action = 'order.delete'");
    assert_eq!(reason.fetch_one(&mut db).await.unwrap(), "잘못 눌렀어요");
    db.close().await.unwrap();

    page.tap(".table-card[data-table='1'] [data-part=close]").await;
    page.sees("#ask", &["테이블 1", "끝나지 않은 주문이 1건", "주문 2건", "18,000원"]).await;
    page.tap("#ask [data-part=yes]").await;
    page.sees(".free-table[data-table='1']", &["1번"]).await;
    page.loses(".ticket").await;
    page.sees("#own-orders-empty", &["아직 주문이 없습니다"]).await;
    page.loses(".own-order").await;
    page.close(&service.url).await;
}

/// Who was told that all is done does not close over an order that came in meanwhile.
#[tokio::test]
async fn what_staff_were_not_shown_is_not_done() {
    let service = Service::start().await;
    let page = service.page("1").await;
    let running = service.running();
    let token = running.table().await;
    running.order(&token).await.unwrap();
    page.sees(".ticket", &["1번"]).await;
    // Before the page's own change arrives, a colleague's does.
    page.run(
        "const send = window.fetch;
         window.fetch = async (path, options) => {
           if (options?.method === 'PATCH') {
             window.fetch = send;
             await send(path, { ...options, body: JSON.stringify({ status: 'cancelled' }) });
           }
           return send(path, options);
         };",
    )
    .await;

    page.tap(".ticket [data-part=next]").await;
    page.sees("#board-message", &["다른 사용자가 먼저 변경했습니다"]).await;
    page.sees(".ticket", &["취소됨"]).await;

    page.tap(".table-card [data-part=close]").await;
    page.sees("#ask", &["모든 주문이 끝났습니다"]).await;
    running.order(&token).await.unwrap();
    page.sees(".ticket", &["2번"]).await;
    page.tap("#ask [data-part=yes]").await;
    page.sees("#board-message", &["아직 완료되지 않은 주문이 있습니다"]).await;
    service.agrees_with(&page).await;
    page.close(&service.url).await;
}

#[tokio::test]
async fn a_double_tap_is_one_order() {
    let service = Service::start().await;
    let page = service.page("2").await;
    // As on a LAN address without HTTPS.
    page.run("crypto.randomUUID = undefined").await;
    page.tap("[data-menu='3']").await;

    // Both before the browser has done anything else; a disabled button would hide the second from the page.
    let disabled = page.run(
        "const button = document.getElementById('order');
         button.onclick();
         button.onclick();
         return button.disabled",
    );
    assert_eq!(disabled.await, true);
    page.sees("#order-message", &["접수되었습니다"]).await;
    page.tap("[data-menu='4']").await;
    let button = page.driver.find(By::Css(ORDER)).await.unwrap();
    page.driver.action_chain().double_click_element(&button).perform().await.unwrap();
    page.sees(".own-order", &["2번"]).await;
    page.sees("#order-message", &["2번이 접수"]).await;

    assert_eq!(service.orders().await, json!([[2, "pending", 1], [1, "pending", 1]]));
    service.agrees_with(&page).await;
    page.close(&service.url).await;
}

#[tokio::test]
async fn an_order_tapped_while_the_service_is_down_arrives_exactly_once() {
    let mut service = Service::start().await;
    let page = service.page("1").await;
    page.tap("[data-menu='1']").await;
    service.kill().await;
    page.sees("#tablet-connection", &["다시 연결하는 중"]).await;
    page.sees("#board-connection", &["다시 연결하는 중"]).await;
    page.sees(".stale", &["최신이 아닐 수 있습니다"]).await;

    page.tap(ORDER).await;
    page.sees("#order-message", &["아직 주문을 보내지 못했습니다"]).await;
    assert_eq!(page.run("return document.getElementById('order').disabled").await, true);
    service.start_again().await;

    connected(&page).await;
    page.sees("#order-message", &["1번이 접수"]).await;
    page.sees(".ticket", &["1번", "김치찌개 × 1"]).await;
    page.sees(".own-order", &["1번"]).await;
    assert_eq!(service.orders().await, json!([[1, "pending", 1]]));
    service.agrees_with(&page).await;
    assert_eq!(page.run("return Object.keys(localStorage).length").await, 0);
    page.close(&service.url).await;
}

/// A start makes a new feed: nothing can be replayed, and only loading anew (`resync`) shows what happened meanwhile.
#[tokio::test]
async fn what_happened_while_the_board_was_away_is_loaded() {
    let mut service = Service::start().await;
    let page = service.page("1").await;
    let token = service.running().table().await;
    for _ in 0..2 {
        service.running().order(&token).await.unwrap();
    }
    page.sees(".own-order", &["2번"]).await;
    page.sees(".table-card", &["주문 2건"]).await;
    page.run("window.same = true").await;
    service.kill().await;
    let neighbour = service.neighbour().await;
    service.ask_at(&neighbour, "PATCH", "/orders/1/status", json!({"status": "preparing"})).await;
    service.ask_at(&neighbour, "DELETE", "/orders/2", Value::Null).await;
    neighbour.order(&token).await.unwrap();
    neighbour.stop().await;
    service.start_again().await;

    page.sees(".ticket.fresh", &["3번"]).await;
    page.sees(".ticket[data-order='1']", &["조리 중"]).await;
    page.sees(".own-order[data-order='1']", &["조리 중"]).await;
    page.sees(".own-order[data-order='3']", &["접수"]).await;
    page.loses("[data-order='2']").await;
    connected(&page).await;
    service.agrees_with(&page).await;
    assert_eq!(page.run("return window.same").await, true);
    page.close(&service.url).await;
}

/// The answer is lost, the service is overloaded, too slow, too busy: the same key and body go again until it is settled.
#[tokio::test]
async fn an_order_is_sent_again_the_same_until_there_is_a_final_answer() {
    let service = Service::start().await;
    let page = service.page("1").await;
    page.run(
        "const send = window.fetch;
         window.sent = [];
         // The network is back, again and again: no wait is long but the one that was asked for.
         setInterval(() => dispatchEvent(new Event('online')), 20);
         window.fetch = async (path, options) => {
           if (options?.method !== 'POST' || path !== '/api/customer/orders') return send(path, options);
           sent.push({ key: options.headers['idempotency-key'], body: options.body, at: performance.now() });
           const trouble = [
             () => new Response('{}', { status: 429, headers: { 'retry-after': '1' } }),
             async () => { await send(path, options); throw new TypeError('the answer is lost'); },
             () => new Response('upstream is gone', { status: 503 }),
             () => new Response('{}', { status: 504 }),
             () => new Response('{}', { status: 401 }),
           ][sent.length - 1];
           return trouble ? trouble() : send(path, options);
         };",
    )
    .await;
    page.tap("[data-menu='1']").await;
    page.write("#order-note", "천천히 주세요").await;
    page.tap(ORDER).await;
    page.sees("#order-message", &["1번이 접수"]).await;

    let sent = page.run("return sent").await;
    let sent = sent.as_array().unwrap();
    assert_eq!(sent.len(), 6, "{sent:?}");
    let distinct: BTreeSet<_> = sent.iter().map(|one| format!("{} {}", one["key"], one["body"])).collect();
    assert_eq!(distinct.len(), 1, "{distinct:?}");
    let waited = sent[1]["at"].as_f64().unwrap() - sent[0]["at"].as_f64().unwrap();
    assert!(waited >= 1_000.0, "Retry-After was not waited for: {waited} ms");
    assert_eq!(service.orders().await, json!([[1, "pending", 1]]));
    service.agrees_with(&page).await;
    page.close(&service.url).await;
}

#[tokio::test]
async fn an_order_outlives_a_reload_of_the_page() {
    let service = Service::start().await;
    let page = service.page("1").await;
    page.tap("[data-menu='1']").await;
    page.write("#order-note", "천천히 주세요").await;
    // The order waits for its table's row until we let it go.
    let mut holder = PgConnection::connect_with(&service.database.options()).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    sqlx::query("select id from tables for update").fetch_all(&mut *held).await.unwrap();
    page.tap(ORDER).await;
    page.sees(ORDER, &["보내는 중"]).await;
    // A token that is no longer good is replaced, too.
    page.run("for (const name of Object.keys(sessionStorage)) sessionStorage.setItem(name, 'no token at all')").await;

    page.driver.refresh().await.unwrap();
    page.sees(ORDER, &["보내는 중"]).await;
    page.sees("#cart", &["김치찌개"]).await;
    held.rollback().await.unwrap();
    page.sees("#order-message", &["1번이 접수"]).await;

    page.sees(".ticket", &["1번", "천천히 주세요"]).await;
    assert_eq!(service.orders().await, json!([[1, "pending", 1]]));
    service.agrees_with(&page).await;
    holder.close().await.unwrap();
    page.close(&service.url).await;
}

#[tokio::test]
async fn what_is_sold_out_is_refused_in_words_and_the_cart_stays() {
    let service = Service::start().await;
    let page = service.page("1").await;
    page.tap("#categories [data-key='2']").await;
    page.sees("[data-menu='7']", &["골뱅이무침", "품절"]).await;
    assert_eq!(page.run("return document.querySelector('[data-menu=\"7\"]').disabled").await, true);
    page.tap("[data-menu='6']").await;
    page.tap("[data-menu='5']").await;
    service.ask("PATCH", "/menus/6", json!({"is_available": false, "name": "손두부김치"})).await;
    // Live, without a reload.
    page.sees("[data-menu='6']", &["손두부김치", "품절"]).await;

    page.tap(ORDER).await;
    page.sees("#order-message", &["품절된 메뉴가 포함되어 있습니다."]).await;
    page.sees("#cart [data-cart='6']", &["품절"]).await;
    page.sees("#cart [data-cart='5']", &["해물파전"]).await;
    assert_eq!(service.orders().await, json!([]));

    page.tap("[data-cart='6'] [data-part=less]").await;
    page.tap(ORDER).await;
    page.sees(".ticket", &["해물파전 × 1"]).await;
    page.close(&service.url).await;
}

#[tokio::test]
async fn two_stores_do_not_mix() {
    let service = Service::start().await;
    let page = service.page("1").await;
    let other = Page::open(&format!("{}/demo?store={OTHER_STORE}&table=2", service.url)).await;
    connected(&other).await;
    other.sees("#menus", &["떡볶이"]).await;
    other.tap("#menus button").await;
    other.tap(ORDER).await;
    other.sees(".ticket", &["1번", "떡볶이 × 1"]).await;
    page.tap("[data-menu='1']").await;
    page.tap(ORDER).await;
    page.sees(".ticket", &["1번", "김치찌개 × 1"]).await;

    service.agrees_with(&page).await;
    assert!(!page.text("body").await.contains("떡볶이"));
    other.tap(".ticket [data-part=next]").await;
    other.sees(".own-order", &["조리 중"]).await;
    assert!(!other.text("body").await.contains("김치찌개"));
    page.close(&service.url).await;
    other.close(&service.url).await;
}

/// What can be tapped but is too small to, and what is written too faintly (WCAG AA).
const UNFIT: &str = r"
    const seen = [...document.querySelectorAll('body *')].filter((element) =>
      element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
      element.getBoundingClientRect().width > 1);
    const tapped = seen.filter((element) => element.matches('a, button, input, select, textarea, summary, [onclick], [tabindex]'));
    const small = tapped.filter((element) => {
      const { width, height } = element.getBoundingClientRect();
      return width < 44 || height < 44;
    });
    const channels = (color) => {
      const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
      return { light: [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)), a };
    };
    const luminance = ({ light: [r, g, b] }) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = channels(getComputedStyle(at).backgroundColor);
        if (color.a === 1) return color;
      }
      return channels('rgb(255, 255, 255)');
    };
    const written = seen.filter((element) => !element.disabled && !element.closest(':disabled') &&
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
    const faint = written.filter((element) => {
      const style = getComputedStyle(element);
      const [one, other] = [luminance(channels(style.color)), luminance(behind(element))].sort((a, b) => b - a);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      return (one + 0.05) / (other + 0.05) < (large ? 3 : 4.5);
    });
    const name = (element) => `${element.outerHTML.slice(0, 120)} ${JSON.stringify(element.getBoundingClientRect())}`;
    return { tapped: tapped.length, written: written.length, small: small.map(name), faint: faint.map(name),
      wide: document.documentElement.scrollWidth > innerWidth };
";

async fn assert_fit(page: &Page, what: &str) {
    let found = page.run(UNFIT).await;
    assert_eq!(found["small"], json!([]), "{what}");
    assert_eq!(found["faint"], json!([]), "{what}");
    assert_eq!(found["wide"], false, "{what}: it must be scrolled sideways");
    assert!(found["tapped"].as_i64() > Some(5) && found["written"].as_i64() > Some(10), "{what}: {found}");
}

#[tokio::test]
async fn everything_can_be_tapped_and_read_on_a_tablet_and_on_a_phone() {
    let service = Service::start().await;
    let page = service.page("1").await;
    assert_fit(&page, "an empty tablet").await;
    let token = service.running().table().await;
    for status in ["", "preparing", "ready", "served", "cancelled"] {
        let order: Value = service.running().order(&token).await.unwrap().json().await.unwrap();
        let id = &order["id"];
        let way = ["preparing", "ready", "served"];
        let steps: &[&str] = match way.iter().position(|step| *step == status) {
            Some(last) => &way[..=last],
            None if status.is_empty() => &[],
            None => &["cancelled"],
        };
        for status in steps {
            service.ask("PATCH", &format!("/orders/{id}/status"), json!({"status": status})).await;
        }
    }
    service.agrees_with(&page).await;
    page.tap("[data-menu='1']").await;
    page.tap("#categories [data-key='2']").await;
    page.sees(".menu.sold-out", &["품절"]).await;
    for (size, views) in [((1280, 800), &["both"][..]), ((390, 844), &["tablet", "board"])] {
        page.resize(size.0, size.1).await;
        for view in views {
            if *view != "both" {
                page.tap(&format!("#show-{view}")).await;
                page.sees(&format!("#{view}"), &[]).await;
            }
            assert_fit(&page, &format!("{view} at {size:?}")).await;
        }
    }
    page.tap(".ticket [data-part=delete]").await;
    page.sees("#ask", &["삭제할까요"]).await;
    assert_fit(&page, "a question").await;
    page.tap("#ask [data-part=no]").await;

    let arrives = "return getComputedStyle(document.querySelector('.ticket.fresh')).animationName";
    assert_eq!(page.run(arrives).await, "arrive");
    let reduced = json!({"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]});
    page.driver.cdp().send_raw("Emulation.setEmulatedMedia", reduced).await.unwrap();
    assert_eq!(page.run(arrives).await, "none");
    page.close(&service.url).await;
}

#[tokio::test]
async fn the_page_is_served_whole_and_strict_but_not_in_production() {
    let service = Service::start().await;
    let running = service.running();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let path = if name == "index.html" { "/demo".to_owned() } else { format!("/demo/{name}") };
        let answer = running.client.get(format!("{}{path}", running.url)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.text().await.unwrap(), std::fs::read_to_string(file.path()).unwrap());
    }
    let missing = running.client.get(format!("{}/demo/nothing.js", running.url)).send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert!(running.printed.find("/demo").unwrap() < running.printed.find("/api").unwrap(), "{}", running.printed);

    let mut keys = program(&service.folder, "keys");
    // The service has made them already.
    assert!(!tokio::time::timeout(PATIENCE, keys.output()).await.unwrap().unwrap().status.success());
    let mut command = Service::command(&service.folder, &service.database, "0");
    command.env("APP_ENV", "production");
    let production = Running::start_until(command, "Database").await;
    for path in ["/demo", "/demo/main.js", "/demo/stores.json"] {
        let answer = production.client.get(format!("{}{path}", production.url)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "NOT_FOUND");
    }
    assert!(!production.printed.contains("/demo") && !production.printed.contains(STORE));
    production.stop().await;
}
