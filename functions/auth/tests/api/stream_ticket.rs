//! `POST /api/{customer,admin}/auth/stream-ticket`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::Code;

use crate::{Given, Kind, given};

impl Given {
    /// A ticket for the given caller of a kind.
    async fn ticket(&self, kind: Kind) -> String {
        let request = self.app.post(kind.path("stream-ticket")).token(self.token(kind));
        let answer = request.send().await.expect(201);
        assert_eq!(answer, json!({"ticket": answer["ticket"], "expires_in": 30}));
        answer["ticket"].as_str().unwrap().to_owned()
    }

    /// Show a ticket. Gives the `sub` of whom it was given to.
    async fn redeem(&self, ticket: &str) -> Result<String, Code> {
        let redeemed = self.app.app.tickets.redeem(ticket, self.app.clock.now()).await;
        redeemed.map(|claims| claims.sub.clone()).map_err(|error| error.code)
    }
}

#[tokio::test]
async fn a_ticket_stands_for_the_token_it_was_given_to() {
    let given = given().await;
    for kind in [Kind::Customer, Kind::Admin] {
        let ticket = given.ticket(kind).await;
        let claims = given.app.app.tickets.redeem(&ticket, given.app.clock.now()).await.unwrap();
        assert_eq!(*claims, given.claims(&json!(given.token(kind))));
    }
}

#[tokio::test]
async fn a_ticket_is_good_once() {
    let given = given().await;
    let ticket = given.ticket(Kind::Customer).await;

    assert_eq!(given.redeem(&ticket).await, Ok(format!("table:{}", given.table.id)));
    assert_eq!(given.redeem(&ticket).await, Err(Code::InvalidToken));
}

#[tokio::test]
async fn a_ticket_is_good_for_30_seconds() {
    let given = given().await;
    let (in_time, late) = (given.ticket(Kind::Admin).await, given.ticket(Kind::Admin).await);

    given.app.clock.advance(TimeDelta::milliseconds(29_999));
    assert!(given.redeem(&in_time).await.is_ok());
    given.app.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(given.redeem(&late).await, Err(Code::InvalidToken));
}

#[tokio::test]
async fn every_ticket_is_new_and_cannot_be_guessed() {
    let given = given().await;
    let (first, second) = (given.ticket(Kind::Customer).await, given.ticket(Kind::Customer).await);

    assert_ne!(first, second);
    assert_eq!(first.len(), 43, "256 bits in base64url");
    assert!(first.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{first}");
    assert!(given.redeem(&second).await.is_ok(), "the first stays good beside it");
    assert!(given.redeem(&first).await.is_ok());
    assert_eq!(given.redeem("").await, Err(Code::InvalidToken));
    assert_eq!(given.redeem(&"A".repeat(43)).await, Err(Code::InvalidToken));
}

#[tokio::test]
async fn a_ticket_is_no_token() {
    let given = given().await;
    let ticket = given.ticket(Kind::Admin).await;

    given.me(Kind::Admin, &ticket).await.expect_error(401, "INVALID_TOKEN");
    let query = given.app.get(format!("/api/admin/auth/me?ticket={ticket}"));
    query.send().await.expect_error(401, "TOKEN_MISSING");
}

#[tokio::test]
async fn needs_the_token_of_a_table_or_a_store_admin() {
    let given = given().await;
    let ask = |kind: Kind| given.app.post(kind.path("stream-ticket"));
    for (kind, other) in [(Kind::Customer, Kind::Admin), (Kind::Admin, Kind::Customer)] {
        ask(kind).send().await.expect_error(401, "TOKEN_MISSING");
        ask(kind).token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
        for wrong in [other, Kind::SuperAdmin] {
            let details = ask(kind).token(given.token(wrong)).send().await;
            assert_eq!(details.expect_error(403, "INSUFFICIENT_PERMISSIONS"), Value::Null);
        }
    }
    ask(Kind::SuperAdmin).token(&given.super_admin.token).send().await.expect_error(404, "NOT_FOUND");
}
