//! Pages of a list.

use serde::Serialize;
use utoipa::ToSchema;

/// Which page of a list is wanted. Checked where it is read: `number` from 1, `size` 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Counted from 1.
    pub number: i64,
    /// Items on a full page.
    pub size: i64,
}

impl PageRequest {
    /// The page size when none is asked for.
    pub const DEFAULT_SIZE: i64 = 50;

    /// The page asked for, or the first, of the size asked for, or the usual one.
    pub fn new(number: Option<i64>, size: Option<i64>) -> Self {
        Self { number: number.unwrap_or(1), size: size.unwrap_or(Self::DEFAULT_SIZE) }
    }

    /// How many items the pages before this one hold.
    pub fn offset(self) -> i64 {
        (self.number - 1).saturating_mul(self.size)
    }

    /// How many items the whole list has, if a page of so many tells: one that is neither full nor behind the end is the last.
    pub fn total_after(self, items: usize) -> Option<i64> {
        let items = items as i64;
        (items < self.size && (items > 0 || self.number == 1)).then(|| self.offset() + items)
    }
}

/// One page of a list, and where it lies in the whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Where the page lies.
    pub pagination: Pagination,
}

/// Where a page lies in the whole list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pagination {
    /// This page, counted from 1.
    #[schema(minimum = 1, examples(1))]
    pub page: i64,
    /// Items on a full page.
    #[schema(minimum = 1, maximum = 100, examples(50))]
    pub page_size: i64,
    /// Items on all pages.
    #[schema(minimum = 0, examples(1))]
    pub total_count: i64,
    /// Pages that hold items.
    #[schema(minimum = 0, examples(1))]
    pub total_pages: i64,
}

impl<T> Page<T> {
    /// The page that was asked for, given its items and the count of all.
    pub fn new(items: Vec<T>, request: PageRequest, total_count: i64) -> Self {
        let total_pages = (total_count + request.size - 1) / request.size;
        Self {
            items,
            pagination: Pagination { page: request.number, page_size: request.size, total_count, total_pages },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_may_be_short() {
        let pages = |total| Page::<()>::new(vec![], PageRequest { number: 1, size: 50 }, total).pagination.total_pages;
        assert_eq!([0, 1, 50, 51].map(pages), [0, 1, 1, 2]);
    }

    #[test]
    fn the_last_page_tells_how_many_there_are() {
        for total in 0..=7 {
            for number in 1..=5 {
                let request = PageRequest { number, size: 3 };
                let items = (total - request.offset()).clamp(0, request.size);
                let tells = request.total_after(items as usize);
                assert!(tells.is_none_or(|told| told == total), "{total} {number}");
                assert_eq!(tells.is_some(), (1..3).contains(&items) || (total == 0 && number == 1), "{total} {number}");
            }
        }
    }
}
