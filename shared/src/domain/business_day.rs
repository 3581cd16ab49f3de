//! The calendar day of a store: its order numbers restart, and its history is asked for, by this day. Which day a moment belongs
//! to is PostgreSQL's to say, which has the time zones: `(moment at time zone timezone)::date`.

use chrono::{Days, NaiveDate};

/// The days a history question may span, both ends counted.
pub const LONGEST_RANGE_DAYS: i64 = 366;
/// The days a history question spans when it names none, today counted.
pub const DEFAULT_RANGE_DAYS: u64 = 30;

/// A span of calendar days, both ends counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
}

/// The range ends before it begins, or spans more than [`LONGEST_RANGE_DAYS`].
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidDateRange;

impl DateRange {
    /// The range asked for; a missing end is today, a missing beginning makes it [`DEFAULT_RANGE_DAYS`] long.
    pub fn new(from: Option<NaiveDate>, to: Option<NaiveDate>, today: NaiveDate) -> Result<Self, InvalidDateRange> {
        let to = to.unwrap_or(today);
        let from = match from {
            Some(from) => from,
            None => to.checked_sub_days(Days::new(DEFAULT_RANGE_DAYS - 1)).ok_or(InvalidDateRange)?,
        };
        let days = (to - from).num_days() + 1;
        if !(1..=LONGEST_RANGE_DAYS).contains(&days) {
            return Err(InvalidDateRange);
        }
        Ok(Self { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_defaults_to_the_last_thirty_days() {
        let today = day("2026-03-01");
        let range = DateRange::new(None, None, today).unwrap();
        assert_eq!((range.from, range.to), (day("2026-01-31"), today));
        assert_eq!(DateRange::new(Some(today), Some(day("2026-02-28")), today), Err(InvalidDateRange));
        assert!(DateRange::new(Some(day("2025-03-01")), Some(today), today).is_ok(), "366 days");
        assert_eq!(DateRange::new(Some(day("2025-02-28")), Some(today), today), Err(InvalidDateRange));
        assert!(DateRange::new(None, Some(NaiveDate::MIN), today).is_err());
    }
}
