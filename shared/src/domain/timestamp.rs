//! A moment in time, as the contract writes it.

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// A moment in UTC, in whole milliseconds, written `2026-02-09T15:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema, sqlx::Type)]
#[sqlx(transparent)]
#[schema(value_type = String, format = DateTime, examples("2026-02-10T03:21:45.678Z"))]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The moment with this many milliseconds since 1970; `None` outside the calendar's range.
    pub fn from_millis(millis: i64) -> Option<Self> {
        DateTime::from_timestamp_millis(millis).map(Self)
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// Whole seconds since 1970, the unit of a token's times.
    pub fn as_seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The same moment as chrono's own type.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Cuts to milliseconds, so that what is answered and what is read back later are the same.
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(3))
    }
}

impl Add<TimeDelta> for Timestamp {
    type Output = Self;

    fn add(self, delta: TimeDelta) -> Self {
        Self(self.0 + delta)
    }
}

impl Sub<TimeDelta> for Timestamp {
    type Output = Self;

    fn sub(self, delta: TimeDelta) -> Self {
        Self(self.0 - delta)
    }
}

impl Sub for Timestamp {
    type Output = TimeDelta;

    fn sub(self, earlier: Self) -> TimeDelta {
        self.0 - earlier.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DateTime::<Utc>::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_in_utc_with_milliseconds() {
        let moment: Timestamp = serde_json::from_str("\"2026-02-10T00:00:00.123456+09:00\"").unwrap();
        assert_eq!(serde_json::to_string(&moment).unwrap(), "\"2026-02-09T15:00:00.123Z\"");
        let whole: Timestamp = serde_json::from_str("\"2026-02-09T15:00:00Z\"").unwrap();
        assert_eq!(whole.to_string(), "2026-02-09T15:00:00.000Z");
    }
}
