//! What is measured on: a store with a menu card, and accounts of each kind, made below HTTP.

use measure::Trouble;
use shared::auth::passwords::{self, Passwords};
use shared::auth::tokens::{Claims, Tokens};
use shared::clock::{self, Clock};
use shared::config::Config;
use shared::db::admins::NewAdmin;
use shared::db::menus::NewMenu;
use shared::db::owners::Owner;
use shared::db::{admins, categories, menus, stores, tables};
use shared::domain::StoreId;
use shared::domain::account::{AdminRole, Role};
use shared::domain::store::TimeZone;
use sqlx::{Connection, PgConnection};

use crate::ORIGIN_SECRET;

/// Wrong passwords for one account: fewer than the five that lock it.
const GUESSES: usize = 4;
/// Tablets that read the menu card in turn.
const TABLETS: usize = 50;
/// Menus on it.
const MENUS: i64 = 30;

/// A kind of account, with all that a login says but the name.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// What it is called in the results.
    pub(crate) name: &'static str,
    path: &'static str,
    /// The members of the body that come before the name.
    store: String,
    /// The member that has the name.
    field: &'static str,
    /// What names of this kind begin with: no two admins may have the same.
    prefix: &'static str,
}

impl Kind {
    /// A login under this name from an address of its own, told apart by a number.
    pub(crate) fn login(&self, name: &str, password: &str, address: usize) -> Vec<u8> {
        let (store, field, path) = (&self.store, self.field, self.path);
        let body = format!(r#"{{{store}"{field}":"{name}","password":"{password}"}}"#);
        let [_, _, c, d] = u32::try_from(address).unwrap_or_default().to_be_bytes();
        format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             x-origin-secret: {ORIGIN_SECRET}\r\ncloudfront-viewer-address: 198.18.{c}.{d}:443\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// The name of an account that exists: another one after a few guesses. As long as that of one that does not.
    pub(crate) fn known(&self, number: usize) -> String {
        format!("{}-k{:06}", self.prefix, number / GUESSES)
    }

    /// A name that nobody has.
    pub(crate) fn unknown(&self, number: usize) -> String {
        format!("{}-u{number:06}", self.prefix)
    }
}

/// Everything that is measured on.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    /// Tablets, store admins and super admins.
    pub(crate) kinds: [Kind; 3],
    /// Requests for the menu list, by tablets in turn.
    pub(crate) menu_lists: Vec<Vec<u8>>,
}

/// Add to a migrated database what so many wrong logins of each kind need.
pub(crate) async fn add(db: &mut PgConnection, config: &Config, logins: usize) -> Result<Data, Trouble> {
    let tokens = Tokens::from_config(config, true)?;
    let password_hash = Passwords::new(passwords::COST).hash("the right one".to_owned()).await?;
    let mut tx = db.begin().await?;
    let now = Clock::system().now();
    let id = StoreId(clock::new_uuid(now));
    stores::create(&mut tx, id, "한빛식당", TimeZone::default(), now).await?;
    let category_id = categories::create(&mut tx, id, "식사", now).await?.id;
    for number in 1..=MENUS {
        let (name, description) = (format!("김치찌개 {number}"), Some("공깃밥이 함께 나옵니다."));
        let price = 7_000 + 100 * number;
        let new = NewMenu { category_id, name: &name, description, price, is_available: true, image_id: None };
        menus::create(&mut tx, id, new, now).await?;
    }
    let store = format!(r#""store_id":"{}","#, id.0);
    let kinds = [
        Kind {
            name: "table",
            path: "/api/customer/auth/login",
            store: store.clone(),
            field: "table_number",
            prefix: "table",
        },
        Kind { name: "store admin", path: "/api/admin/auth/login", store, field: "username", prefix: "staff" },
        Kind {
            name: "super admin",
            path: "/api/superadmin/auth/login",
            store: String::new(),
            field: "username",
            prefix: "super",
        },
    ];
    let mut menu_lists = Vec::new();
    for number in 0..TABLETS.max(logins.div_ceil(GUESSES)) {
        let [tablet, staff, super_admin] = kinds.each_ref().map(|kind| kind.known(number * GUESSES));
        let table = tables::create(&mut tx, id, &tablet, &password_hash, now).await?.id.get();
        let owner = Owner { role: Role::Table, id: table, store_id: Some(id) };
        let token = tokens.sign(&Claims::new(owner, 1, now, config.table_token_life))?;
        menu_lists.push(format!(
            "GET /api/customer/menus HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n"
        ));
        for (store_id, role, username) in
            [(Some(id), AdminRole::StoreAdmin, &staff), (None, AdminRole::SuperAdmin, &super_admin)]
        {
            let new = NewAdmin { store_id, username, password_hash: &password_hash, role };
            admins::create(&mut tx, new, now).await?;
        }
    }
    tx.commit().await?;
    Ok(Data { kinds, menu_lists: menu_lists.into_iter().map(String::into_bytes).collect() })
}
