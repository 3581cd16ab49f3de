//! What is read far more often than it changes.

use axum::body::Bytes;
use chrono::TimeDelta;
use shared::cache::{Cache, Entity, LocalCache};
use shared::domain::StoreId;
use shared::testing::in_both_worlds;

use crate::{World, store};

fn cache(world: &World) -> Cache {
    world.connect().map_or_else(|| Cache::Local(LocalCache::default()), Cache::Redis)
}

/// What a reader gets to whom the database would say `value`.
async fn read(cache: &Cache, world: &World, store: StoreId, entity: Entity, value: &str) -> Bytes {
    cache.body((store, entity, "all"), world.now, async || Ok(value.to_owned())).await.unwrap()
}

in_both_worlds! {
    async fn a_value_is_good_for_five_minutes(world: World) {
        let (cache, store) = (cache(&world), store());
        assert_eq!(read(&cache, &world, store, Entity::Menus, "김치찌개").await, "\"김치찌개\"");
        world.pass(TimeDelta::seconds(270)).await;
        assert_eq!(read(&cache, &world, store, Entity::Menus, "2").await, "\"김치찌개\"");
        world.pass(TimeDelta::seconds(30)).await;
        assert_eq!(read(&cache, &world, store, Entity::Menus, "3").await, "\"3\"");
    }

    async fn a_slow_reader_cannot_put_an_old_value_back(world: World) {
        let (cache, store) = (cache(&world), store());
        // The first time there is nothing yet to be dropped.
        for _ in 0..2 {
            let slow = cache.look_up(store, Entity::Menus, "all", world.now).await;
            cache.drop_all(store, &[Entity::Menus]).await.unwrap();
            cache.fill(store, Entity::Menus, "all", slow.generation.unwrap(), "old".into(), world.now).await;
            assert_eq!(cache.look_up(store, Entity::Menus, "all", world.now).await.body, None);
            assert_eq!(read(&cache, &world, store, Entity::Menus, "new").await, "\"new\"");
        }
    }

    async fn a_drop_leaves_other_stores_and_entities_alone(world: World) {
        let (cache, store, other) = (cache(&world), store(), store());
        let all = [(store, Entity::Menus), (store, Entity::Categories), (store, Entity::OrderHistory), (other, Entity::Menus)];
        for (store, entity) in all {
            read(&cache, &world, store, entity, "old").await;
        }
        cache.drop_all(store, &[Entity::Menus]).await.unwrap();
        let mut kept = Vec::new();
        for (store, entity) in all {
            kept.push(read(&cache, &world, store, entity, "new").await == "\"old\"");
        }
        assert_eq!(kept, [false, true, true, true]);
    }

    async fn parts_of_an_entity_are_dropped_together(world: World) {
        let (cache, store) = (cache(&world), store());
        for id in ["all", "category:1"] {
            cache.body((store, Entity::Menus, id), world.now, async || Ok("old")).await.unwrap();
        }
        cache.drop_all(store, &[Entity::Menus]).await.unwrap();
        for id in ["all", "category:1"] {
            let body = cache.body((store, Entity::Menus, id), world.now, async || Ok("new")).await.unwrap();
            assert_eq!(body, "\"new\"");
        }
    }
}
