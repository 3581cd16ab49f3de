//! What is printed when the service is up: where it is, who may log in, and what to try.

#![expect(clippy::print_stdout, reason = "this is what the program is to print")]

use std::net::SocketAddr;

use local::demo::{STORES, SUPER_ADMIN, TABLE_PASSWORD};
use shared::domain::MenuId;

use crate::database::Database;

/// Print where the gateway is.
pub(crate) fn print_gateway(address: SocketAddr) {
    println!("The gateway is up: http://{address}");
}

/// Print it. `menu` can be ordered in the first demo store; without it there is no demo data to try.
pub(crate) fn print(database: &Database, url: &str, menu: Option<MenuId>) {
    let database = match database.private_folder() {
        Some(folder) => format!("private, in {} (`make reset` drops it)", folder.display()),
        None => "the one that DATABASE_URL names".to_owned(),
    };
    println!();
    println!("  table-order is up. Ctrl-C stops it.");
    println!();
    if menu.is_some() {
        println!("  Demo       {url}/demo");
    }
    println!("  API        {url}/api");
    println!("  Docs       {url}/docs (Swagger UI), {url}/redoc, {url}/openapi.json");
    println!("  Health     {url}/health");
    println!("  Metrics    {url}/metrics");
    println!("  Keys       {url}/.well-known/jwks.json");
    println!("  Database   {database}");
    println!();
    let Some(menu) = menu else { return };
    let row = |login: &str, store_id: &str, name: &str, password: &str| {
        println!("  {login:<14}{store_id:<38}{name:<14}{password}");
    };
    row("Login", "store_id", "name", "password");
    for store in &STORES {
        let (id, (name, password)) = (store.id.to_string(), store.admin);
        row("store admin", &id, name, password);
        row("table", &id, &format!("1 … {}", store.tables), TABLE_PASSWORD);
    }
    row("super admin", "", SUPER_ADMIN.0, SUPER_ADMIN.1);
    let store = &STORES[0];
    let login = |role: &str, body: &str| {
        let field = r#"sed 's/.*"access_token":"\([^"]*\)".*/\1/'"#;
        format!("$(curl -s {url}/api/{role}/auth/login -H 'content-type: application/json' -d '{body}' | {field})")
    };
    let (id, admin, password) = (store.id, store.admin.0, store.admin.1);
    let board = login("admin", &format!(r#"{{"store_id":"{id}","username":"{admin}","password":"{password}"}}"#));
    let table =
        login("customer", &format!(r#"{{"store_id":"{id}","table_number":"1","password":"{TABLE_PASSWORD}"}}"#));
    println!();
    println!("  Try it. In one terminal, the staff's board:");
    println!();
    println!("BOARD={board}");
    println!("curl -sN {url}/api/admin/orders/stream -H \"authorization: Bearer $BOARD\"");
    println!();
    println!("  In another, table 1 reads the menu and orders:");
    println!();
    println!("TABLE={table}");
    println!("curl -s {url}/api/customer/menus -H \"authorization: Bearer $TABLE\"");
    println!(
        "curl -s {url}/api/customer/orders -H \"authorization: Bearer $TABLE\" -H 'content-type: application/json' \
         -d '{{\"items\":[{{\"menu_id\":{menu},\"quantity\":2}}]}}'"
    );
    println!();
}
