//! Which parts of a time Prometheus has anything of. Where it has nothing (beyond its retention, or while it was down) nobody
//! knows what fired: that must never read as a quiet time.

use paramedic_policies::time::{Moment, Span};

use super::parts::{self, Unread};
use super::samples;
use crate::prometheus::Prometheus;

/// Any sample of what it scrapes, or of an alert.
const ANYTHING: &str = "count(up) or count(ALERTS)";

/// How far apart Prometheus is asked, so that a shorter hole may go unseen.
pub const STEP: Span = Span::from_hours(1);
/// Shorter times are asked at so many moments.
const MOMENTS: u64 = 12;

/// A stretch of time without a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// The last moment that has one, or the beginning.
    pub from: Moment,
    /// The next one that has, or the end.
    pub until: Moment,
}

/// The stretches of this time of which Prometheus has no sample, in order.
///
/// # Errors
/// With what Prometheus says, or that it does not answer.
pub async fn holes(prometheus: &Prometheus, from: Moment, until: Moment) -> Result<Vec<Hole>, Unread> {
    let length = until.since(from);
    let step = Span::from_ms((length.ms() / MOMENTS).clamp(1, STEP.ms()));
    let promql = format!("({ANYTHING})[{}ms:{}ms]", length.ms(), step.ms());
    let body = parts::read(prometheus, &promql, until, parts::BYTES_MAX).await?;
    let known = samples::read(&body, samples::Wanted::Times).map_err(parts::unread)?;
    let known = known.into_iter().flat_map(|series| series.at);
    Ok(between(known, from, until, step))
}

/// What lies between moments that are known, where it is longer than it may be: the moments of a subquery are multiples of
/// its step.
fn between(known: impl Iterator<Item = i64>, from: Moment, until: Moment, step: Span) -> Vec<Hole> {
    let mut holes = Vec::new();
    let mut since = from;
    let mut see = |at: Moment, holes: &mut Vec<Hole>| {
        if at.since(since) > step {
            holes.push(Hole { from: since, until: at });
        }
        since = at;
    };
    let mut known: Vec<i64> = known.collect();
    known.sort_unstable();
    for at in known {
        see(Moment::from_unix_ms(at), &mut holes);
    }
    see(until, &mut holes);
    holes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holes(known: &[i64]) -> Vec<(i64, i64)> {
        let hour = |at: i64| Moment::from_unix_ms(at * 3_600_000);
        let known = known.iter().map(|at| at * 3_600_000);
        let found = between(known, hour(10), hour(20), STEP);
        found.iter().map(|hole| (hole.from.unix_ms() / 3_600_000, hole.until.unix_ms() / 3_600_000)).collect()
    }

    #[test]
    fn a_time_that_is_known_each_hour_has_no_hole() {
        assert_eq!(holes(&[11, 12, 13, 14, 15, 16, 17, 18, 19, 20]), []);
    }

    #[test]
    fn what_is_not_known_is_a_hole_at_the_beginning_between_and_at_the_end() {
        assert_eq!(holes(&[13, 14, 17, 18]), [(10, 13), (14, 17), (18, 20)]);
        assert_eq!(holes(&[]), [(10, 20)]);
    }
}
