//! Times in responses: RFC 3339, UTC, always with three decimals.
//!
//! Formatted by hand: every response to a start or heartbeat has one to three times. humantime, the
//! shortest library for it, takes 180 instructions more for each. The tests check every day of a
//! thousand years.

use std::fmt;

use serde::{Serialize, Serializer};
use streamgate_core::Timestamp;
use streamgate_engine::Wall;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

const MS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

/// A time as it is serialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-21T06:30:00.000Z")]
pub(crate) struct Time(Timestamp);

impl Time {
    /// A time of an outcome, converted to the wall clock.
    pub(crate) const fn at(time: Timestamp, wall: Wall) -> Self {
        Self(wall.show(time))
    }

    /// A time of the wall clock, in milliseconds since 1970.
    pub(crate) const fn of_wall(wall_ms: u64) -> Self {
        Self(Timestamp::from_millis(wall_ms))
    }

    /// `2026-11-21T06:30:00.000Z`: always 24 bytes, because timestamps end with the year 9999.
    fn to_bytes(self) -> [u8; 24] {
        let ms = self.0.as_millis();
        let (year, month, day) = civil_from_days(ms / MS_PER_DAY);
        let in_day = ms % MS_PER_DAY;
        let mut out = *b"0000-00-00T00:00:00.000Z";
        put(&mut out[0..4], year);
        put(&mut out[5..7], month);
        put(&mut out[8..10], day);
        put(&mut out[11..13], in_day / 3_600_000);
        put(&mut out[14..16], in_day / 60_000 % 60);
        put(&mut out[17..19], in_day / 1_000 % 60);
        put(&mut out[20..23], in_day % 1_000);
        out
    }

    fn with_str<T>(self, f: impl FnOnce(&str) -> T) -> T {
        f(std::str::from_utf8(&self.to_bytes()).expect("digits and punctuation are ASCII"))
    }
}

/// A time of the wall clock, in milliseconds since 1970, as answers have it:
/// `2026-11-21T06:30:00.000Z`.
#[must_use]
pub fn rfc3339(wall_ms: u64) -> String {
    Time::of_wall(wall_ms).to_string()
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_str(|text| f.write_str(text))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_str(|text| serializer.serialize_str(text))
    }
}

/// Year, month and day of a day counted from 1970-01-01 (the algorithm `civil_from_days` of Howard
/// Hinnant).
///
/// Years begin in March, so that the leap day is the last day of its year; eras of 400 years all
/// have the same number of days.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    const EPOCH_DAY: u64 = 719_468;

    let day = days + EPOCH_DAY;
    let (era, day_of_era) = (day / DAYS_PER_ERA, day % DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // The months from March on have 31, 30, 31, 30, 31 days, and again, and again.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_month)
}

/// Reads a time, in milliseconds since 1970; earlier times are 0. `None` if it is none of RFC 3339.
pub(crate) fn parse_rfc3339(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(u64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default())
}

/// Writes a number with leading zeros over the whole of `out`.
fn put(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use streamgate_core::bounds::TIMESTAMP_MAX_MS;

    use super::*;

    #[test]
    fn times_are_written_with_three_decimals() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1, "1970-01-01T00:00:00.001Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_795_242_600_000, "2026-11-21T06:30:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (TIMESTAMP_MAX_MS, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Time(Timestamp::from_millis(ms)).to_string(), text);
        }
    }

    #[test]
    fn days_follow_each_other_for_a_thousand_years() {
        let mut last = civil_from_days(0);
        for day in 1..365_250 {
            let next = civil_from_days(day);
            let (year, month, day_of_month) = next;
            let follows = match last {
                (y, m, d) if (y, m) == (year, month) => day_of_month == d + 1,
                (y, 12, 31) => (year, month, day_of_month) == (y + 1, 1, 1),
                (y, m, d) => (year, month, day_of_month) == (y, m + 1, 1) && d >= 28,
            };
            assert!(follows, "{last:?} is followed by {next:?}");
            last = next;
        }
    }

    #[test]
    fn a_time_is_read_as_it_was_written() {
        for ms in (0..4_200_000_000_000).step_by(86_399_123_457) {
            assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms), "{ms}");
        }
        let at = 1_795_242_600_000;
        for (text, ms) in [
            ("2026-11-21T06:30:00Z", Some(at)),
            ("2026-11-21t06:30:00.5z", Some(at + 500)),
            ("2026-11-21T06:30:00.123456789Z", Some(at + 123)),
            ("2026-11-21T07:30:00+01:00", Some(at)),
            ("2026-11-21T05:00:00-01:30", Some(at)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_799_999)),
            ("1969-12-31T23:59:59.5Z", Some(0)),
            ("0555-09-24T23:56:24+11:33", Some(0)),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-11-21T06:30:00", None),
            ("2026-11-21T06:30:00.Z", None),
            ("+026-11-21T06:30:00Z", None),
            ("1795242600000", None),
            ("", None),
            ("Z", None),
        ] {
            assert_eq!(parse_rfc3339(text), ms, "{text}");
        }
    }
}
