//! What is measured on: stores with tables and menus, made below HTTP, with tokens as a login would give them.

use measure::Trouble;
use shared::auth::passwords::{self, Passwords};
use shared::auth::tokens::{Claims, Tokens};
use shared::clock::Clock;
use shared::config::Config;
use shared::db::admins::NewAdmin;
use shared::db::menus::NewMenu;
use shared::db::owners::Owner;
use shared::db::{admins, categories, menus, stores, tables};
use shared::domain::StoreId;
use shared::domain::account::{AdminRole, Role};
use shared::domain::store::TimeZone;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// What every store's id begins with; twelve digits with the store's number follow.
pub(crate) const STORE_ID_PREFIX: &str = "00000000-0000-4000-8000-";
/// The password of every table.
pub(crate) const PASSWORD: &str = "1234";
/// Stores that guests of the load sit in.
const STORES: u32 = 8;
/// Tables of each of them.
const TABLES: usize = 50;
/// Tables of the store whose dashboard is read.
const BOARD_TABLES: usize = 400;
/// Dishes of a category; a store has the first few of each of [`CATEGORIES`].
const DISHES: [(&str, &str); 10] = [
    ("김치찌개", "묵은지와 돼지고기를 푹 끓였습니다. 공깃밥이 함께 나옵니다."),
    ("된장찌개", "집된장에 두부와 애호박을 넣고 끓였습니다. 공깃밥이 함께 나옵니다."),
    ("비빔밥", "계절 나물 여섯 가지와 달걀프라이를 올렸습니다."),
    ("제육볶음", "돼지 앞다리살을 매콤하게 볶아 쌈 채소와 함께 냅니다."),
    ("해물파전", "오징어와 새우를 듬뿍 넣어 바삭하게 부쳤습니다."),
    ("두부김치", "따뜻한 손두부에 볶음김치를 곁들였습니다."),
    ("골뱅이무침", "새콤달콤하게 무친 골뱅이에 소면을 곁들였습니다."),
    ("계란말이", "채소를 넣어 도톰하게 말았습니다."),
    ("순두부찌개", "바지락으로 국물을 내고 순두부를 넣었습니다."),
    ("잡채", "당면과 채소를 간장 양념에 볶았습니다."),
];
/// Categories, which are also what their dishes' names begin with.
const CATEGORIES: [&str; 4] = ["할머니", "얼큰", "모둠", "점심"];

/// A store.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// Its tables.
    pub(crate) tables: Vec<Table>,
    menus: Vec<i64>,
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// Its id.
    pub(crate) id: i64,
    /// Its number.
    pub(crate) number: String,
    /// A token for its tablet.
    pub(crate) token: String,
}

/// Everything that is measured on.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    /// Where guests read menus and order.
    pub(crate) stores: Vec<Store>,
    /// Where staff look at the board.
    pub(crate) board: Store,
    /// A token of that staff.
    pub(crate) staff: String,
    /// A token of whoever keeps the stores.
    pub(crate) super_admin: String,
}

/// A store with nothing but staff who look at its board.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    /// The store.
    pub(crate) store_id: StoreId,
    /// A token of its staff.
    pub(crate) staff: String,
}

/// The id of the store with this number, which its last digits show up to 9.
pub(crate) fn store_id(number: u32) -> Uuid {
    Uuid::from_u128(0x4000_8000_0000_0000_0000 + u128::from(number))
}

impl Store {
    /// Its id.
    pub(crate) fn id(&self) -> Uuid {
        store_id(self.number)
    }

    /// Its first and last table; all ids between are its tables, too.
    pub(crate) fn table_ids(&self) -> Result<(i64, i64), Trouble> {
        range(self.tables.iter().map(|table| table.id))
    }

    /// Its first and last menu; all ids between are its menus, too.
    pub(crate) fn menu_ids(&self) -> Result<(i64, i64), Trouble> {
        range(self.menus.iter().copied())
    }

    /// So many of its menus, one after the other, the first one drawn.
    pub(crate) fn draw_menus(&self, random: &mut fastrand::Rng, items: usize) -> impl Iterator<Item = i64> {
        let first = random.usize(..self.menus.len());
        (0..items).map(move |item| self.menus[(first + item) % self.menus.len()])
    }
}

/// The ends of a range of numbers without gaps.
fn range(ids: impl Iterator<Item = i64> + Clone) -> Result<(i64, i64), Trouble> {
    let ends = ids.clone().min().zip(ids.clone().max()).filter(|(first, last)| last - first + 1 == ids.count() as i64);
    ends.ok_or("the ids are no range without gaps".into())
}

/// Add the data to a migrated database.
pub(crate) async fn add(db: &mut PgConnection, config: &Config) -> Result<Data, Trouble> {
    // Ranges of their own, so that a recorded value tells what it is the id of.
    for (first, table) in ["tables", "table_sessions", "menus", "orders"].into_iter().enumerate() {
        let sql = format!("alter table {table} alter column id restart with {}", (first + 1) * 10_000_000 + 1);
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *db).await?;
    }
    let tokens = Tokens::from_config(config, true)?;
    let password_hash = Passwords::new(passwords::COST).hash(PASSWORD.to_owned()).await?;
    let mut transaction = db.begin().await?;
    let mut maker = Maker { db: &mut transaction, config, tokens, password_hash };
    let mut stores = Vec::new();
    for number in 1..=STORES {
        // 12, 16, 20, … 40.
        let menus = 8 + 4 * number as usize;
        stores.push(maker.store(number, TABLES, menus).await?);
    }
    let board = maker.store(STORES + 1, BOARD_TABLES, 24).await?;
    let staff = maker.admin(Some(board.id())).await?;
    let super_admin = maker.admin(None).await?;
    transaction.commit().await?;
    Ok(Data { stores, board, staff, super_admin })
}

/// Add so many stores with nothing but staff.
pub(crate) async fn add_boards(db: &mut PgConnection, config: &Config, count: u32) -> Result<Vec<Board>, Trouble> {
    let tokens = Tokens::from_config(config, true)?;
    let password_hash = Passwords::new(passwords::COST).hash(PASSWORD.to_owned()).await?;
    let mut transaction = db.begin().await?;
    let mut maker = Maker { db: &mut transaction, config, tokens, password_hash };
    let mut boards = Vec::new();
    for number in 0..count {
        // After those that guests sit in.
        let id = maker.store(STORES + 2 + number, 0, 0).await?.id();
        boards.push(Board { store_id: StoreId(id), staff: maker.admin(Some(id)).await? });
    }
    transaction.commit().await?;
    Ok(boards)
}

struct Maker<'a> {
    db: &'a mut PgConnection,
    config: &'a Config,
    tokens: Tokens,
    password_hash: String,
}

impl Maker<'_> {
    async fn store(&mut self, number: u32, tables: usize, menus: usize) -> Result<Store, Trouble> {
        let (id, now) = (StoreId(store_id(number)), Clock::system().now());
        stores::create(self.db, id, &format!("한빛식당 {number}호점"), TimeZone::default(), now).await?;
        let mut store = Store { number, tables: Vec::new(), menus: Vec::new() };
        for number in 1..=tables {
            let number = number.to_string();
            let table = tables::create(self.db, id, &number, &self.password_hash, now).await?.id.get();
            let token = self.token(Owner { role: Role::Table, id: table, store_id: Some(id) })?;
            store.tables.push(Table { id: table, number, token });
        }
        for category in CATEGORIES {
            let category_id = categories::create(self.db, id, category, now).await?.id;
            for (position, (dish, description)) in DISHES.iter().enumerate().take(menus / CATEGORIES.len()) {
                let new = NewMenu {
                    category_id,
                    name: &format!("{category} {dish}"),
                    description: Some(description),
                    price: 7_000 + 500 * i64::try_from(position)?,
                    is_available: true,
                    image_id: None,
                };
                store.menus.push(menus::create(self.db, id, new, now).await?.get());
            }
        }
        Ok(store)
    }

    /// An account of a store's staff, or of whoever keeps the stores: its token.
    async fn admin(&mut self, store_id: Option<Uuid>) -> Result<String, Trouble> {
        let store_id = store_id.map(StoreId);
        let role = if store_id.is_some() { AdminRole::StoreAdmin } else { AdminRole::SuperAdmin };
        let username = store_id.map_or_else(|| "bench".to_owned(), |id| format!("bench-{}", id.0.simple()));
        let new = NewAdmin { store_id, username: &username, password_hash: &self.password_hash, role };
        let id = admins::create(self.db, new, Clock::system().now()).await?;
        self.token(Owner { role: role.into(), id: id.get(), store_id })
    }

    fn token(&self, owner: Owner) -> Result<String, Trouble> {
        let claims = Claims::new(owner, 1, Clock::system().now(), self.config.table_token_life);
        Ok(self.tokens.sign(&claims)?)
    }
}

#[cfg(test)]
impl Store {
    /// A store with these tables and menus.
    pub(crate) fn for_test(number: u32, tables: &[i64], menus: &[i64]) -> Self {
        let table = |&id: &i64| Table { id, number: id.to_string(), token: format!("token-{id}") };
        Self { number, tables: tables.iter().map(table).collect(), menus: menus.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stores_id_ends_in_its_number() {
        for number in 1..=STORES + 1 {
            assert_eq!(store_id(number).to_string(), format!("{STORE_ID_PREFIX}{number:012}"));
        }
    }

    #[test]
    fn a_range_has_no_gaps() {
        assert_eq!(range([5, 7, 6].into_iter()).unwrap(), (5, 7));
        assert!(range([5, 7].into_iter()).is_err());
        assert!(range([].into_iter()).is_err());
    }

    #[test]
    fn drawn_menus_are_the_stores_and_differ() {
        let store = Store::for_test(1, &[1], &[30, 31, 32]);
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..50 {
            let mut drawn: Vec<_> = store.draw_menus(&mut random, 3).collect();
            drawn.sort_unstable();
            assert_eq!(drawn, [30, 31, 32]);
        }
    }
}
