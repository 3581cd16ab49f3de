//! Stream tickets.

use std::sync::Arc;

use chrono::TimeDelta;
use shared::Code;
use shared::auth::tickets::{LocalTickets, Tickets};
use shared::auth::tokens::Claims;
use shared::db::owners::Owner;
use shared::domain::account::Role;
use shared::testing::in_both_worlds;

use crate::{World, store};

fn tickets(world: &World) -> Tickets {
    world.connect().map_or_else(|| Tickets::Local(LocalTickets::default()), Tickets::Redis)
}

fn claims(world: &World) -> Arc<Claims> {
    let owner = Owner { role: Role::Table, id: 3, store_id: Some(store()) };
    Arc::new(Claims::new(owner, 1, world.now, TimeDelta::hours(24)))
}

in_both_worlds! {
    async fn a_ticket_is_good_once(world: World) {
        let (tickets, claims) = (tickets(&world), claims(&world));
        let ticket = tickets.issue(claims.clone(), world.now).await.unwrap();
        let another = tickets.issue(claims.clone(), world.now).await.unwrap();
        assert_ne!(ticket, another);
        assert_eq!(tickets.redeem(&ticket, world.now).await.unwrap(), claims);
        assert_eq!(tickets.redeem(&ticket, world.now).await.unwrap_err().code, Code::InvalidToken);
        assert_eq!(tickets.redeem(&another, world.now).await.unwrap(), claims);
        assert_eq!(tickets.redeem("no ticket", world.now).await.unwrap_err().code, Code::InvalidToken);
    }

    async fn a_ticket_is_good_for_half_a_minute(world: World) {
        let (tickets, claims) = (tickets(&world), claims(&world));
        let ticket = tickets.issue(claims.clone(), world.now).await.unwrap();
        let late = tickets.issue(claims, world.now).await.unwrap();
        world.pass(TimeDelta::seconds(10)).await;
        tickets.redeem(&ticket, world.now).await.unwrap();
        world.pass(TimeDelta::seconds(20)).await;
        assert_eq!(tickets.redeem(&late, world.now).await.unwrap_err().code, Code::InvalidToken);
    }
}
