//! Builders: what a test is given, made below HTTP.

use uuid::Uuid;

use crate::auth::passwords::Passwords;
use crate::auth::tokens::Claims;
use crate::clock;
use crate::db::admins::NewAdmin;
use crate::db::images::NewUpload;
use crate::db::menus::NewMenu;
use crate::db::owners::Owner;
use crate::db::{admins, categories, images, menus, stores, tables};
use crate::domain::account::{AdminRole, Role};
use crate::domain::image::{ImageStatus, RejectionReason, UPLOAD_LIFE};
use crate::domain::store::TimeZone;
use crate::domain::{AdminId, CategoryId, ImageId, MenuId, StoreId, TableId};

use super::{PASSWORD, TestApp};

/// A store with one admin.
#[derive(Clone, Debug)]
pub struct TestStore {
    /// The store.
    pub id: StoreId,
    /// Its admin.
    pub admin: TestAdmin,
}

/// An admin with a good token.
#[derive(Clone, Debug)]
pub struct TestAdmin {
    /// The account.
    pub id: AdminId,
    /// Its username.
    pub username: String,
    /// Its token.
    pub token: String,
}

/// A table with a good token.
#[derive(Clone, Debug)]
pub struct TestTable {
    /// The table.
    pub id: TableId,
    /// Its number.
    pub number: String,
    /// Its token.
    pub token: String,
}

impl TestApp {
    /// A store in Seoul with one admin, whose password is [`PASSWORD`].
    pub async fn store(&self) -> TestStore {
        let id = StoreId(crate::clock::new_uuid(self.clock.now()));
        let mut connection = self.db().acquire().await.unwrap();
        stores::create(&mut connection, id, "한빛식당", TimeZone::default(), self.clock.now()).await.unwrap();
        drop(connection);
        TestStore { id, admin: self.admin(Some(id)).await }
    }

    /// An admin of a store, or a super admin.
    pub async fn admin(&self, store_id: Option<StoreId>) -> TestAdmin {
        let username = format!("admin-{}", crate::clock::new_uuid(self.clock.now()).simple());
        let role = if store_id.is_some() { AdminRole::StoreAdmin } else { AdminRole::SuperAdmin };
        let password_hash = Passwords::new(4).hash(PASSWORD.into()).await.unwrap();
        let new = NewAdmin { store_id, username: &username, password_hash: &password_hash, role };
        let mut connection = self.db().acquire().await.unwrap();
        let id = admins::create(&mut connection, new, self.clock.now()).await.unwrap();
        let token = self.token_for(Owner { role: role.into(), id: id.get(), store_id });
        TestAdmin { id, username, token }
    }

    /// A table of a store, whose password is [`PASSWORD`].
    pub async fn table(&self, store: &TestStore, number: &str) -> TestTable {
        let password_hash = Passwords::new(4).hash(PASSWORD.into()).await.unwrap();
        let mut connection = self.db().acquire().await.unwrap();
        let table = tables::create(&mut connection, store.id, number, &password_hash, self.clock.now()).await.unwrap();
        let owner = Owner { role: Role::Table, id: table.id.get(), store_id: Some(store.id) };
        TestTable { id: table.id, number: number.to_owned(), token: self.token_for(owner) }
    }

    /// A category of a store.
    pub async fn category(&self, store: &TestStore, name: &str) -> CategoryId {
        let mut connection = self.db().acquire().await.unwrap();
        categories::create(&mut connection, store.id, name, self.clock.now()).await.unwrap().id
    }

    /// A menu in a category of a store.
    pub async fn menu(&self, store: &TestStore, category_id: CategoryId, name: &str, price: i64) -> MenuId {
        let new = NewMenu { category_id, name, description: None, price, is_available: true, image_id: None };
        let mut connection = self.db().acquire().await.unwrap();
        menus::create(&mut connection, store.id, new, self.clock.now()).await.unwrap()
    }

    /// A picture of a store, with this status. Its objects are not there.
    pub async fn image(&self, store: &TestStore, status: ImageStatus) -> ImageId {
        let now = self.clock.now();
        let key = Uuid::from_bytes(clock::random()).simple().to_string();
        let (sha256, expires_at) = ([0; 32], now + UPLOAD_LIFE);
        let new = NewUpload { admin_id: store.admin.id, upload_key: &key, size: 1, sha256: &sha256, expires_at };
        let id = images::create(&mut self.db().acquire().await.unwrap(), store.id, new, now).await.unwrap();
        match status {
            ImageStatus::Pending => {}
            ImageStatus::Ready => self.make_ready(store, id).await,
            ImageStatus::Rejected => {
                images::reject(self.db(), store.id, id, RejectionReason::Damaged).await.unwrap();
            }
        }
        id
    }

    /// A pending picture becomes ready.
    pub async fn make_ready(&self, store: &TestStore, id: ImageId) {
        let mut db = self.db().acquire().await.unwrap();
        assert!(images::make_ready(&mut db, store.id, id, "a/display.jpg", "a/thumbnail.jpg").await.unwrap());
    }

    /// A token as a login would give it, of the first token version.
    pub fn token_for(&self, owner: Owner) -> String {
        let life = match owner.role {
            Role::Table => self.app.config.table_token_life,
            Role::StoreAdmin | Role::SuperAdmin => self.app.config.admin_token_life,
        };
        self.app.tokens.sign(&Claims::new(owner, 1, self.clock.now(), life)).unwrap()
    }
}
