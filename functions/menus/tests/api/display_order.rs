//! `display_order` starts at 1 and has no gaps, whatever is done.

use serde_json::{Value, json};

use crate::{Given, given};

/// A sequence of numbers that look random and are the same in every run: Knuth's MMIX linear congruential generator.
struct Dice(u64);

impl Dice {
    /// A number from 0 up to, but not including, `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.roll(last + 1));
        }
    }
}

/// What the card should be: each category's id with the ids of its menus.
type Card = Vec<(i64, Vec<i64>)>;

impl Given {
    /// The card as the database has it, after a check that every place is the one its row number would be.
    async fn stored_card(&self) -> Card {
        let mut card = Card::new();
        let categories: Vec<(i64, i32)> =
            sqlx::query_as("select id, display_order from menu_categories where store_id = $1 order by display_order")
                .bind(self.store.id)
                .fetch_all(self.app.db())
                .await
                .unwrap();
        for (place, (category, display_order)) in (1..).zip(categories) {
            assert_eq!(display_order, place);
            let menus: Vec<(i64, i32)> =
                sqlx::query_as("select id, display_order from menus where category_id = $1 order by display_order")
                    .bind(category)
                    .fetch_all(self.app.db())
                    .await
                    .unwrap();
            for (place, &(_, display_order)) in (1..).zip(&menus) {
                assert_eq!(display_order, place, "in category {category}");
            }
            card.push((category, menus.into_iter().map(|(menu, _)| menu).collect()));
        }
        card
    }

    /// Do one thing to the store's card, and the same to `card`.
    async fn do_something(&self, dice: &mut Dice, card: &mut Card, step: usize) -> String {
        let from = dice.roll(card.len());
        let to = dice.roll(card.len());
        let (category, menus) = card[from].clone();
        let menu = (!menus.is_empty()).then(|| dice.roll(menus.len()));
        match (dice.roll(10), menu) {
            (0..=2, _) => {
                let body = json!({"category_id": category, "name": format!("메뉴 {step}"), "price": 1_000});
                let created = self.post("/api/admin/menus", body).await.expect(201);
                card[from].1.push(created["id"].as_i64().unwrap());
                format!("a menu for {category}")
            }
            (3, Some(menu)) => {
                let menu = card[from].1.remove(menu);
                self.delete(format!("/api/admin/menus/{menu}")).await.expect(204);
                format!("menu {menu} deleted")
            }
            (4..=5, Some(menu)) if from != to => {
                let menu = card[from].1.remove(menu);
                card[to].1.push(menu);
                let body = json!({"category_id": card[to].0});
                self.patch(format!("/api/admin/menus/{menu}"), body).await.expect(200);
                format!("menu {menu} moved from {category} to {}", card[to].0)
            }
            (6, _) => {
                dice.shuffle(&mut card[from].1);
                let body = json!({"category_id": category, "menu_ids": card[from].1});
                self.put("/api/admin/menus/order", body).await.expect(200);
                format!("menus of {category} in another order")
            }
            (7, _) => {
                dice.shuffle(card);
                let category_ids: Vec<_> = card.iter().map(|(category, _)| category).collect();
                self.put("/api/admin/categories/order", json!({"category_ids": category_ids})).await.expect(200);
                "categories in another order".to_owned()
            }
            (8, _) if card.len() < 6 => {
                let body = json!({"name": format!("카테고리 {step}")});
                let created = self.post("/api/admin/categories", body).await.expect(201);
                card.push((created["id"].as_i64().unwrap(), vec![]));
                "a category".to_owned()
            }
            (_, None) if card.len() > 2 => {
                card.remove(from);
                self.delete(format!("/api/admin/categories/{category}")).await.expect(204);
                format!("category {category} deleted")
            }
            _ => {
                let name = json!({"name": format!("이름 {step}")});
                self.patch(format!("/api/admin/categories/{category}"), name).await.expect(200);
                format!("category {category} renamed")
            }
        }
    }
}

#[tokio::test]
async fn places_have_no_gaps_at_any_step_of_a_random_walk() {
    for seed in [1, 2, 3] {
        let given = given().await;
        let mut dice = Dice(seed);
        let mut card = given.stored_card().await;
        for step in 0..100 {
            let done = given.do_something(&mut dice, &mut card, step).await;

            assert_eq!(given.stored_card().await, card, "seed {seed}, step {step}: {done}");
            let listed = given.guest("/api/customer/menus").await.expect(200);
            let wanted: Value = card.iter().flat_map(|(_, menus)| menus).copied().collect();
            assert_eq!(crate::ids(&listed), wanted, "seed {seed}, step {step}: {done}");
        }
    }
}
