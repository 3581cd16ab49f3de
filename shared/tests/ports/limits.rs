//! How many requests a caller may make.

use chrono::TimeDelta;
use shared::limiter::Limiter;
use shared::testing::in_both_worlds;

use crate::{World, about};

in_both_worlds! {
    async fn the_window_slides(world: World) {
        let limiter = Limiter::new(3, world.connect());
        for _ in 0..3 {
            limiter.check("a", world.now).await.unwrap();
            world.pass(TimeDelta::seconds(15)).await;
        }
        let refused = limiter.check("a", world.now).await.unwrap_err();
        assert!(about(refused.until - refused.now, 15), "{refused:?}");
        limiter.check("b", world.now).await.unwrap();
        world.pass(TimeDelta::seconds(15)).await;
        limiter.check("a", world.now).await.unwrap();
        limiter.check("a", world.now).await.unwrap_err();
    }

    async fn refused_requests_do_not_count(world: World) {
        let limiter = Limiter::new(1, world.connect());
        limiter.check("a", world.now).await.unwrap();
        for _ in 0..100 {
            limiter.check("a", world.now).await.unwrap_err();
        }
        world.pass(TimeDelta::seconds(60)).await;
        limiter.check("a", world.now).await.unwrap();
    }

    async fn eight_at_once_are_no_more_than_one_after_the_other(world: World) {
        let here = Limiter::new(100, None);
        let limiters = (0..8).map(|_| world.connect().map_or_else(|| here.clone(), |redis| Limiter::new(100, Some(redis))));
        let now = world.now;
        let askers = limiters.map(|limiter| tokio::spawn(async move {
            let mut allowed = 0;
            for _ in 0..50 {
                allowed += usize::from(limiter.check("a", now).await.is_ok());
            }
            allowed
        }));
        let mut allowed = 0;
        for asker in askers.collect::<Vec<_>>() {
            allowed += asker.await.unwrap();
        }
        assert_eq!(allowed, 100);
    }
}
