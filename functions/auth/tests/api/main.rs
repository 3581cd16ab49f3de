//! The endpoints of `auth`, through the router, on a database of their own each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod change_password;
mod concurrency;
mod jwks;
mod lambda;
mod login_admin;
mod login_customer;
mod login_super_admin;
mod me;
mod owners;
mod stream_ticket;
mod throttle;
mod tokens;

use serde_json::{Value, json};
use shared::auth::passwords::Passwords;
use shared::auth::tokens::Claims;
use shared::db::owners::Owner;
use shared::domain::account::Role;
use shared::testing::{PASSWORD, TestAdmin, TestApp, TestRequest, TestResponse, TestStore, TestTable, count};

/// The answer to every wrong login.
const WRONG: &str = r#"{"error":{"code":"INVALID_CREDENTIALS","message":"로그인 정보가 올바르지 않습니다."}}"#;

/// What most tests are given: one caller of each kind.
struct Given {
    app: TestApp,
    store: TestStore,
    table: TestTable,
    super_admin: TestAdmin,
}

async fn given() -> Given {
    given_in(TestApp::start(auth::router()).await).await
}

async fn given_in(app: TestApp) -> Given {
    let store = app.store().await;
    let table = app.table(&store, "창가 1").await;
    let super_admin = app.admin(None).await;
    Given { app, store, table, super_admin }
}

/// The kinds of caller, as paths name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Customer,
    Admin,
    SuperAdmin,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Customer, Self::Admin, Self::SuperAdmin];

    fn path(self, rest: &str) -> String {
        let kind = match self {
            Self::Customer => "customer",
            Self::Admin => "admin",
            Self::SuperAdmin => "superadmin",
        };
        format!("/api/{kind}/auth/{rest}")
    }
}

impl Given {
    /// A login under any name.
    fn log_in_as(&self, kind: Kind, name: &str, password: &str) -> TestRequest<'_> {
        let store_id = self.store.id;
        let body = match kind {
            Kind::Customer => json!({"store_id": store_id, "table_number": name, "password": password}),
            Kind::Admin => json!({"store_id": store_id, "username": name, "password": password}),
            Kind::SuperAdmin => json!({"username": name, "password": password}),
        };
        self.app.post(kind.path("login")).json(body)
    }

    /// A login of the given caller of a kind.
    fn log_in(&self, kind: Kind, password: &str) -> TestRequest<'_> {
        self.log_in_as(kind, self.name(kind), password)
    }

    async fn me(&self, kind: Kind, token: &str) -> TestResponse {
        self.app.get(kind.path("me")).token(token).send().await
    }

    /// What the given caller of a kind logs in under.
    fn name(&self, kind: Kind) -> &str {
        match kind {
            Kind::Customer => &self.table.number,
            Kind::Admin => &self.store.admin.username,
            Kind::SuperAdmin => &self.super_admin.username,
        }
    }

    fn token(&self, kind: Kind) -> &str {
        match kind {
            Kind::Customer => &self.table.token,
            Kind::Admin => &self.store.admin.token,
            Kind::SuperAdmin => &self.super_admin.token,
        }
    }

    /// The owner of the given caller's tokens.
    fn owner(&self, kind: Kind) -> Owner {
        let store_id = Some(self.store.id);
        match kind {
            Kind::Customer => Owner { role: Role::Table, id: self.table.id.get(), store_id },
            Kind::Admin => Owner { role: Role::StoreAdmin, id: self.store.admin.id.get(), store_id },
            Kind::SuperAdmin => Owner { role: Role::SuperAdmin, id: self.super_admin.id.get(), store_id: None },
        }
    }

    /// What a good token says now.
    fn claims(&self, token: &Value) -> Claims {
        Claims::clone(&self.app.app.tokens.check(token.as_str().unwrap(), self.app.clock.now()).unwrap())
    }

    /// Open a session of the table, as its first order does. Returns its id.
    async fn open_session(&self) -> i64 {
        let sql = "insert into table_sessions (store_id, table_id, started_at) values ($1, $2, $3) returning id";
        let query = sqlx::query_scalar(sql).bind(self.store.id).bind(self.table.id).bind(self.app.clock.now());
        query.fetch_one(self.app.db()).await.unwrap()
    }

    /// Give every account the same password, whatever its length is.
    async fn set_all_passwords(&self, password: &str) {
        let hash = Passwords::new(4).hash(password.into()).await.unwrap();
        for sql in ["update tables set password_hash = $1", "update admins set password_hash = $1"] {
            sqlx::query(sql).bind(&hash).execute(self.app.db()).await.unwrap();
        }
    }

    /// Change rows behind the process's back.
    async fn sql(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.app.db()).await.unwrap();
    }
}

/// Take the token out of an answer.
fn take_token(answer: &mut Value) -> Value {
    answer.as_object_mut().unwrap().remove("access_token").unwrap()
}

/// Check that these logins were wrong, and that their answers do not tell why.
#[track_caller]
fn assert_all_wrong(answers: Vec<TestResponse>) {
    for answer in answers {
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (401, WRONG));
    }
}

#[tokio::test]
async fn the_longest_password_is_71_bytes_and_a_longer_one_is_simply_wrong() {
    let given = given().await;
    let longest = "가".repeat(23) + "ab";
    assert_eq!(longest.len(), 71);
    given.set_all_passwords(&longest).await;
    for kind in Kind::ALL {
        given.log_in(kind, &longest).send().await.expect(200);
        let longer = [longest.clone() + "c", longest.clone() + "가", "가".repeat(24), "p".repeat(255)];
        for password in longer {
            assert_all_wrong(vec![given.log_in(kind, &password).send().await]);
        }
    }
}

/// No length makes a password anything else than wrong.
#[tokio::test]
async fn a_password_of_any_length_is_judged() {
    let given = given().await;
    for kind in Kind::ALL {
        for length in [256, 10_000] {
            assert_all_wrong(vec![given.log_in(kind, &"p".repeat(length)).send().await]);
        }
    }
}

#[tokio::test]
async fn a_login_does_not_mind_what_token_comes_with_it() {
    let given = given().await;
    for kind in Kind::ALL {
        given.log_in(kind, PASSWORD).token("nonsense").send().await.expect(200);
    }
}
