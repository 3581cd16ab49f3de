//! Menus and their categories.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CategoryId, MenuId, Timestamp};

/// The highest price of a menu, in won.
pub const HIGHEST_PRICE: i64 = 10_000_000;

/// A heading on the menu card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Category {
    /// The category's id.
    pub id: CategoryId,
    /// Its name, unique in the store.
    #[schema(examples("식사"))]
    pub name: String,
    /// Its place among the categories: from 1, without gaps.
    #[schema(minimum = 1, examples(1))]
    pub display_order: i32,
}

/// Something to order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Menu {
    /// The menu's id.
    pub id: MenuId,
    /// The category it stands in.
    pub category_id: CategoryId,
    /// Its name.
    #[schema(examples("김치찌개"))]
    pub name: String,
    /// What it is.
    #[schema(required, examples("묵은지와 돼지고기를 푹 끓인 찌개. 공깃밥이 함께 나옵니다."))]
    pub description: Option<String>,
    /// In won.
    #[schema(minimum = 1, maximum = 10000000, examples(9000))]
    pub price: i64,
    /// False while it is sold out.
    pub is_available: bool,
    /// Its place in the category: from 1, without gaps.
    #[schema(minimum = 1, examples(1))]
    pub display_order: i32,
    /// Its picture, longest side 1,280; null without a ready one.
    #[schema(required, format = "uri", examples("https://images.example.com/images/9f86d081.jpg"))]
    pub image_url: Option<String>,
    /// Its picture within 300×300; null without a ready one.
    #[schema(required, format = "uri", examples("https://images.example.com/images/9f86d081-300.jpg"))]
    pub thumbnail_url: Option<String>,
    /// Counts up with every change of this menu; the greater one is newer.
    #[schema(minimum = 1, examples(1))]
    pub version: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a list in a new order must be: all there is, each once.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAll;

/// Check that `wanted` names exactly the ids in `present`, in whatever order.
pub fn check_reordering<Id: Ord + Copy>(present: &[Id], wanted: &[Id]) -> Result<(), NotAll> {
    let sorted = |ids: &[Id]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    if sorted(present) == sorted(wanted) { Ok(()) } else { Err(NotAll) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reordering_names_everything_once() {
        assert_eq!(check_reordering(&[1, 2, 3], &[3, 1, 2]), Ok(()));
        for wrong in [&[1, 2][..], &[1, 2, 3, 3], &[1, 2, 2], &[1, 2, 4], &[]] {
            assert_eq!(check_reordering(&[1, 2, 3], wrong), Err(NotAll));
        }
    }
}
