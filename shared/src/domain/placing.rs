//! What a guest may order, and what it costs: at the server's prices, whatever was sent.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MenuId;

/// The most items an order may have.
pub const MOST_ITEMS: usize = 50;
/// The most of one item.
pub const MOST_QUANTITY: i64 = 100;

/// A quantity as a client sent it: any integer, so that one outside 1–100 gets an error of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = i32, minimum = 1, maximum = 100, examples(2))]
pub struct Quantity(i64);

impl Quantity {
    fn checked(self) -> Option<i32> {
        (1..=MOST_QUANTITY).contains(&self.0).then_some(self.0 as i32)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyInteger;

        impl Visitor<'_> for AnyInteger {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Quantity, E> {
                Ok(Quantity(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
                Ok(Quantity(i64::try_from(value).unwrap_or(i64::MAX)))
            }

            /// serde_json reads an integer beyond 64 bits as a float.
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Quantity, E> {
                if value.abs() < i64::MAX as f64 {
                    return Err(E::invalid_type(de::Unexpected::Float(value), &self));
                }
                Ok(Quantity(if value > 0.0 { i64::MAX } else { i64::MIN }))
            }
        }

        deserializer.deserialize_any(AnyInteger)
    }
}

/// One line of an order as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which menu.
    pub menu_id: MenuId,
    /// How many, as sent.
    pub quantity: Quantity,
    /// What the guest asks for with it.
    pub note: Option<String>,
}

/// What the store offers under a menu id at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// Its price in won.
    pub price: i64,
    /// False while it is sold out.
    pub is_available: bool,
}

/// One line with the store's own name and price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedLine {
    /// Which menu.
    pub menu_id: MenuId,
    /// Its name.
    pub menu_name: String,
    /// 1 to 100.
    pub quantity: i32,
    /// Its price in won.
    pub unit_price: i64,
    /// Quantity times unit price.
    pub subtotal: i64,
    /// What the guest asks for with it.
    pub note: Option<String>,
}

/// Why an order is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceRefusal {
    /// It has no items.
    Empty,
    /// The quantity at this position is outside 1–100.
    InvalidQuantity(usize),
    /// The store has no such menus.
    MenusNotFound(Vec<MenuId>),
    /// These menus are sold out.
    MenusNotAvailable(Vec<MenuId>),
    /// The sum does not fit 64 bits.
    TotalTooLarge,
}

/// Check the shape of an order before anything is looked up.
pub fn check_lines(lines: &[Line]) -> Result<(), PlaceRefusal> {
    if lines.is_empty() {
        return Err(PlaceRefusal::Empty);
    }
    match lines.iter().position(|line| line.quantity.checked().is_none()) {
        Some(position) => Err(PlaceRefusal::InvalidQuantity(position)),
        None => Ok(()),
    }
}

/// The menus that an order names, each once, in ascending order.
pub fn menu_ids(lines: &[Line]) -> Vec<MenuId> {
    lines.iter().map(|line| line.menu_id).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Put the store's names and prices to an order. Returns its lines and their sum in won.
pub fn price(lines: Vec<Line>, offers: &HashMap<MenuId, Offer>) -> Result<(Vec<PricedLine>, i64), PlaceRefusal> {
    check_lines(&lines)?;
    let named = menu_ids(&lines);
    let missing: Vec<_> = named.iter().copied().filter(|id| !offers.contains_key(id)).collect();
    if !missing.is_empty() {
        return Err(PlaceRefusal::MenusNotFound(missing));
    }
    let sold_out: Vec<_> = named.into_iter().filter(|id| !offers[id].is_available).collect();
    if !sold_out.is_empty() {
        return Err(PlaceRefusal::MenusNotAvailable(sold_out));
    }
    let mut total = 0i64;
    let mut priced = Vec::with_capacity(lines.len());
    for (position, line) in lines.into_iter().enumerate() {
        let quantity = line.quantity.checked().ok_or(PlaceRefusal::InvalidQuantity(position))?;
        let offer = &offers[&line.menu_id];
        let subtotal = offer.price.checked_mul(quantity.into()).ok_or(PlaceRefusal::TotalTooLarge)?;
        total = total.checked_add(subtotal).ok_or(PlaceRefusal::TotalTooLarge)?;
        priced.push(PricedLine {
            menu_id: line.menu_id,
            menu_name: offer.name.clone(),
            quantity,
            unit_price: offer.price,
            subtotal,
            note: line.note,
        });
    }
    Ok((priced, total))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// The total is the sum of the store's own prices, whatever is ordered.
        #[test]
        fn the_server_prices(ordered in prop::collection::vec((1i64..6, -3i64..120), 0..60), prices in prop::collection::vec(1i64..=10_000_000, 5)) {
            let offers: HashMap<_, _> = prices.iter().zip(1..).map(|(&price, id)| {
                (MenuId::new(id).unwrap(), Offer { name: format!("menu {id}"), price, is_available: true })
            }).collect();
            let lines: Vec<_> = ordered.iter().map(|&(id, quantity)| {
                Line { menu_id: MenuId::new(id).unwrap(), quantity: Quantity(quantity), note: None }
            }).collect();
            match price(lines, &offers) {
                Ok((lines, total)) => {
                    prop_assert!(ordered.iter().all(|(_, quantity)| (1..=100).contains(quantity)));
                    prop_assert_eq!(lines.len(), ordered.len(), "the same menu twice is two items");
                    let sum: i64 = ordered.iter().map(|&(id, quantity)| quantity * prices[id as usize - 1]).sum();
                    prop_assert_eq!(total, sum);
                }
                Err(PlaceRefusal::Empty) => prop_assert!(ordered.is_empty()),
                Err(PlaceRefusal::InvalidQuantity(at)) => prop_assert!(!(1..=100).contains(&ordered[at].1)),
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn a_quantity_is_any_integer_and_only_an_integer() {
        let read = |text| serde_json::from_str::<Quantity>(text).ok();
        assert_eq!(read("3"), Some(Quantity(3)));
        assert_eq!(read("-1"), Some(Quantity(-1)));
        assert_eq!(read("9223372036854775808"), Some(Quantity(i64::MAX)), "2^63");
        assert_eq!(read("-18446744073709551616"), Some(Quantity(i64::MIN)));
        assert_eq!(read("1.0"), None);
        assert_eq!(read("1.5"), None);
        assert_eq!(read("\"1\""), None);
        assert_eq!(read("null"), None);
    }

    #[test]
    fn what_is_missing_or_sold_out_is_all_named() {
        let offers = HashMap::from([
            (MenuId::new(1).unwrap(), Offer { name: "a".into(), price: 1, is_available: false }),
            (MenuId::new(2).unwrap(), Offer { name: "b".into(), price: 1, is_available: false }),
        ]);
        let line = |id| Line { menu_id: MenuId::new(id).unwrap(), quantity: Quantity(1), note: None };
        let ids = |ids: &[i64]| ids.iter().map(|&id| MenuId::new(id).unwrap()).collect::<Vec<_>>();
        assert_eq!(price(vec![line(4), line(1), line(3)], &offers), Err(PlaceRefusal::MenusNotFound(ids(&[3, 4]))));
        assert_eq!(price(vec![line(2), line(1)], &offers), Err(PlaceRefusal::MenusNotAvailable(ids(&[1, 2]))));
    }

    #[test]
    fn a_total_beyond_64_bits_is_refused() {
        let offers =
            HashMap::from([(MenuId::new(1).unwrap(), Offer { name: "a".into(), price: i64::MAX, is_available: true })]);
        let lines = vec![Line { menu_id: MenuId::new(1).unwrap(), quantity: Quantity(2), note: None }];
        assert_eq!(price(lines, &offers), Err(PlaceRefusal::TotalTooLarge));
    }
}
