//! Points and lengths of time: the one place where both are read and written.
//! [`Moment`] is RFC 3339 in UTC with milliseconds; [`Span`] is read as humantime reads it and written in days, hours,
//! minutes and seconds, so that what a person wrote as `90d` comes back as `90d`.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(i64);

/// A length of time in milliseconds, never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

impl Moment {
    /// The moment that many milliseconds after the Unix epoch.
    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    fn timestamp(self) -> jiff::Timestamp {
        let nearest = if self.0.is_negative() { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(nearest)
    }

    /// The wall-clock reading in `zone`, for schedule windows.
    pub fn in_zone(self, zone: &jiff::tz::TimeZone) -> jiff::Zoned {
        self.timestamp().to_zoned(zone.clone())
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// That many milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// That many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// That many minutes.
    pub const fn from_mins(mins: u64) -> Self {
        Self(mins.saturating_mul(60_000))
    }

    /// That many hours.
    pub const fn from_hours(hours: u64) -> Self {
        Self(hours.saturating_mul(3_600_000))
    }

    /// Whole milliseconds.
    pub const fn ms(self) -> u64 {
        self.0
    }

    /// Whether it is no time at all.
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// The same length for a timer.
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl std::ops::Add<Span> for Moment {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Span> for Moment {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Units in which a length of time is written. Deliberately absent: months and years, whose lengths people disagree on.
const UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let (mut rest, mut gap) = (self.0, "");
        for (size, unit) in UNITS {
            let (count, left) = (rest / size, rest % size);
            if count > 0 {
                write!(f, "{gap}{count}{unit}")?;
                gap = " ";
            }
            rest = left;
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not a point in time, or not one that can be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It is no time.
    #[error("`{0}` is not a time; write RFC 3339, such as 2026-11-21T08:30:00Z")]
    NoTime(String),
    /// It is one after the last that is known here, or before the first.
    #[error("`{0}` is out of range; the last moment there is is 9999-12-30T22:00:00Z")]
    OutOfRange(String),
}

impl FromStr for Moment {
    type Err = MomentError;
    fn from_str(text: &str) -> Result<Self, MomentError> {
        match text.parse::<jiff::Timestamp>() {
            Ok(parsed) => Ok(Self(parsed.as_millisecond())),
            Err(_) if is_out_of_range(text) => Err(MomentError::OutOfRange(text.to_owned())),
            Err(_) => Err(MomentError::NoTime(text.to_owned())),
        }
    }
}

/// Whether only the year is in the way: the last hours of 9999, which stand for "for ever" with some.
fn is_out_of_range(text: &str) -> bool {
    let rest = text.strip_prefix("9999-");
    rest.is_some_and(|rest| format!("2000-{rest}").parse::<jiff::Timestamp>().is_ok())
}

/// Text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration ({problem}); write it such as 90s, 15m or 1h 30m")]
pub struct SpanError {
    text: String,
    problem: String,
}

impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, SpanError> {
        let refuse = |problem: String| SpanError { text: text.to_owned(), problem };
        let read = humantime::parse_duration(text).map_err(|error| refuse(error.to_string()))?;
        let ms = u64::try_from(read.as_millis()).map_err(|_| refuse("too long".to_owned()))?;
        Ok(Self(ms))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time as humantime reads it.",
            "examples": ["90s", "15m", "1h 30m"],
        })
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_back_as_written() {
        let moment: Moment = "2026-11-21T08:30:00.120Z".parse().expect("valid");
        assert_eq!(moment.to_string(), "2026-11-21T08:30:00.120Z");
        assert_eq!(moment.to_string().parse::<Moment>().expect("valid"), moment);
    }

    #[test]
    fn a_moment_out_of_range_is_told_apart_from_no_time() {
        let read = |text: &str| text.parse::<Moment>().expect_err(text);
        for last in ["9999-12-31T00:00:00Z", "9999-12-30T22:00:01Z"] {
            assert_eq!(read(last), MomentError::OutOfRange(last.to_owned()));
        }
        for none in ["9999-13-01T00:00:00Z", "tomorrow", "1999"] {
            assert_eq!(read(none), MomentError::NoTime(none.to_owned()));
        }
    }

    #[test]
    fn a_moment_beyond_all_calendars_is_shown_as_the_nearest() {
        assert_eq!(Moment::from_unix_ms(i64::MAX).to_string(), "9999-12-30T22:00:00.999Z");
        assert_eq!(Moment::from_unix_ms(i64::MIN).to_string(), "-009999-01-02T01:59:59.000Z");
        assert_eq!(format!("{:?}", Moment::from_unix_ms(0)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_moment_is_moved_both_ways() {
        let (noon, hour) = (Moment::from_unix_ms(43_200_000), Span::from_hours(1));
        assert_eq!((noon + hour).since(noon), hour);
        assert_eq!(noon.since(noon - hour), hour);
        assert_eq!(noon.since(noon + hour), Span::ZERO);
        assert_eq!(format!("{hour:?}"), "1h");
    }

    #[test]
    fn a_moment_with_an_offset_is_kept_in_utc() {
        let moment: Moment = "2026-11-21T09:30:00+01:00".parse().expect("valid");
        assert_eq!(moment.to_string(), "2026-11-21T08:30:00.000Z");
    }

    #[test]
    fn a_span_is_read_back_as_written() {
        for text in ["0s", "15m", "1h 30m", "7d", "90d", "400d 1ms", "1d 2h 3m 4s 5ms", "250ms"] {
            let span: Span = text.parse().expect("valid");
            assert_eq!(span.to_string(), text);
        }
        let (odd, longest) = (Span::from_secs(90), Span::from_ms(u64::MAX));
        for span in [odd, longest] {
            assert_eq!(span.to_string().parse::<Span>().expect("valid"), span);
        }
    }

    #[test]
    fn what_older_records_say_is_still_read() {
        for (written, now) in [("2months 29days 2h 52m 48s", "90d"), ("1day", "1d"), ("1year", "365d 6h")] {
            assert_eq!(written.parse::<Span>().expect("valid").to_string(), now);
        }
    }

    #[test]
    fn a_wrong_span_says_how_to_write_it() {
        let error = "15 moons".parse::<Span>().expect_err("not a duration");
        assert!(error.to_string().contains("write it such as 90s"), "{error}");
    }

    #[test]
    fn time_before_is_no_time_since() {
        assert_eq!(Moment::from_unix_ms(5).since(Moment::from_unix_ms(9)), Span::ZERO);
    }
}
