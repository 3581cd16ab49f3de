//! The calendar day of a store: its order numbers restart, and its history is asked for, by this day.

use chrono::{Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::Timestamp;

/// The days a history question may span, both ends counted.
pub const LONGEST_RANGE_DAYS: i64 = 366;
/// The days a history question spans when it names none, today counted.
pub const DEFAULT_RANGE_DAYS: u64 = 30;

/// The calendar day that it is in a time zone.
pub fn date_at(now: Timestamp, zone: Tz) -> NaiveDate {
    now.utc().with_timezone(&zone).date_naive()
}

/// The moment a calendar day begins in a time zone.
///
/// That is local midnight, or, where a clock change skips midnight, the first moment after the gap.
pub fn start_of(date: NaiveDate, zone: Tz) -> Timestamp {
    let midnight = date.and_time(NaiveTime::MIN);
    // No gap is longer than a day (Samoa skipped one whole day in 2011); they end on a quarter of an hour.
    (0..=96)
        .find_map(|quarter| match zone.from_local_datetime(&(midnight + TimeDelta::minutes(15 * quarter))) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.to_utc().into()),
            LocalResult::None => None,
        })
        .unwrap_or_else(|| midnight.and_utc().into())
}

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

    /// The moments the range covers in a time zone: from the first, up to but without the second.
    pub fn moments(self, zone: Tz) -> (Timestamp, Timestamp) {
        let after = self.to.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
        (start_of(self.from, zone), start_of(after, zone))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_turns_at_local_midnight() {
        let before: Timestamp = serde_json::from_str("\"2026-02-09T14:59:59.999Z\"").unwrap();
        let after: Timestamp = serde_json::from_str("\"2026-02-09T15:00:00.000Z\"").unwrap();
        assert_eq!(date_at(before, Tz::Asia__Seoul), day("2026-02-09"));
        assert_eq!(date_at(after, Tz::Asia__Seoul), day("2026-02-10"));
        assert_eq!(start_of(day("2026-02-10"), Tz::Asia__Seoul), after);
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

    proptest! {
        /// Every moment lies in the day that `date_at` names, in every zone, through every clock change.
        #[test]
        fn days_cover_time_without_gap_or_overlap(millis in 0i64..4_102_444_800_000, zone in 0..chrono_tz::TZ_VARIANTS.len()) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let moment = Timestamp::from_millis(millis).unwrap();
            let date = date_at(moment, zone);
            let (start, end) = DateRange { from: date, to: date }.moments(zone);
            prop_assert!(start <= moment && moment < end, "{zone} {moment} {start} {end}");
        }
    }
}
