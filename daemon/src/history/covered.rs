//! Which parts of a time Prometheus has anything of. Where it has nothing (beyond its retention, or while it was down) nobody
//! knows what fired: that must never read as a quiet time.

use paramedic_policies::time::{Moment, Span};

use super::parts::Unread;
use super::samples::Wanted;
use super::stretches::{Asked, Reader, up_to};

/// Any sample of what it scrapes, or of an alert.
const ANYTHING: &str = "count(up) or count(ALERTS)";

/// Any sample of the same in so long, up to so long ago: read where there is next to none.
fn anything_within(length: Span, ago: Span) -> String {
    // Prometheus 2 takes no offset of nothing.
    let ago = Some(ago.ms()).filter(|ago| *ago > 0).map(|ago| format!(" offset {ago}ms")).unwrap_or_default();
    let counted = |name: &str| format!("count(count_over_time({name}[{}ms]{ago}))", length.ms());
    format!("{} or {}", counted("up"), counted("ALERTS"))
}

/// How far apart Prometheus is asked, so that a shorter hole may go unseen.
pub const STEP: Span = Span::from_hours(1);
/// Shorter times are asked at so many moments.
const MOMENTS: u64 = 12;
/// So many holes are looked at closely; of the others nobody knows what lies between the looks from afar, and so they are told
/// apart.
pub const HOLES_MAX: usize = 20;

/// A stretch of time without a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// The last moment that has one, or the beginning.
    pub from: Moment,
    /// A little before the next one that has, or the end.
    pub until: Moment,
}

/// The stretches of this time of which Prometheus has no sample, in order: those between moments that have one are looked at
/// once more, for what it has between these moments, but for those after the first [`HOLES_MAX`]. Where a hole ends is known to a
/// twelfth of a step: up to five minutes before the next sample. A Prometheus that began a minute ago has something.
///
/// # Errors
/// With what Prometheus says, or that it does not answer.
pub async fn holes(reader: &Reader, from: Moment, until: Moment) -> Result<Vec<Hole>, Unread> {
    let step = step(until.since(from));
    let known = known(reader, ANYTHING, (from, until), step).await?;
    let seen = between(known, (from, until), Span::ZERO, step);
    let mut holes = Vec::new();
    for (index, hole) in seen.into_iter().enumerate() {
        if index < HOLES_MAX {
            holes.extend(within(reader, hole, step).await?);
        } else {
            holes.push(hole);
        }
    }
    Ok(holes)
}

/// What is left of a hole, where every sample in it counts.
async fn within(reader: &Reader, hole: Hole, step: Span) -> Result<Vec<Hole>, Unread> {
    let fine = self::step(step);
    // The multiple of its step at which a subquery ends lies up to `ago` after the end of the hole.
    let end = up_to(hole.until, fine);
    let ago = end.since(hole.until);
    let known = known(reader, &anything_within(fine, ago), (hole.from + ago, end), fine).await?;
    let known = known.into_iter().map(|at| at.saturating_sub_unsigned(ago.ms())).collect();
    Ok(between(known, (hole.from, hole.until), fine, step))
}

/// The moments of this time, so far apart, at which this has a value.
///
/// A subquery is evaluated at the multiples of its step: in Prometheus 2 with the one at its beginning, in Prometheus 3 without,
/// and in VictoriaMetrics at steps from the beginning, wherever that is. So it begins and ends at multiples, and what it says
/// of its beginning counts for nothing.
///
/// # Errors
/// With what Prometheus says, or that it does not answer.
async fn known(
    reader: &Reader,
    promql: &str,
    (from, until): (Moment, Moment),
    step: Span,
) -> Result<Vec<i64>, Unread> {
    let floor = |at: Moment| up_to(at + Span::from_ms(1), step) - step;
    let (mut after, end) = (floor(from), floor(until).max(floor(from) + step));
    let asked = Asked { promql: format!("({promql})"), step: Some(step), wanted: Wanted::Times };
    let (mut length, mut known) = (end.since(after), Vec::new());
    while after < end {
        let stretch = reader.read(&asked, after, length, end).await?;
        (after, length) = (stretch.until, stretch.length);
        known.extend(stretch.series.into_iter().flat_map(|series| series.at));
    }
    Ok(known)
}

/// How far apart: an hour, and whole seconds of a shorter time.
fn step(length: Span) -> Span {
    let step = (length.ms() / MOMENTS).clamp(1000, STEP.ms());
    Span::from_ms(step - step % 1000)
}

/// What lies between moments that are known, each with so much before it, where that is longer than a step.
fn between(mut known: Vec<i64>, (from, until): (Moment, Moment), before: Span, step: Span) -> Vec<Hole> {
    known.sort_unstable();
    let known = known.into_iter().map(Moment::from_unix_ms);
    let known = known.filter(|at| *at > from && *at <= until).map(|at| (at - before, at));
    let (mut holes, mut since) = (Vec::new(), from);
    for (begin, at) in known.chain([(until, until)]) {
        if begin.since(since) > step {
            holes.push(Hole { from: since, until: begin });
        }
        since = at;
    }
    holes
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::history::served::{ALL, matrix, prometheus, reply, serve};

    /// What is said of a time by a Prometheus that was down from one minute to another, and how many minutes were asked.
    async fn said(
        ends: crate::history::served::Ends,
        (from, until): (i64, i64),
        down: (i64, i64),
        most: i64,
    ) -> (Vec<(i64, i64)>, Vec<i64>) {
        let asked: Arc<Mutex<Vec<i64>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let url = serve(move |question| {
            seen.lock().expect("seen").push(question.minutes());
            let down = (down.0 * 60_000, down.1 * 60_000);
            let (length, ago) = closely(&question.selector);
            // Down from the one up to the other, and up at each moment else.
            let is_up = |at: &i64| at - ago >= down.1 || at - ago - length.max(1) < down.0;
            let up = question.steps(ends).into_iter().filter(is_up).map(|at| (at, "1".to_owned()));
            let answer = match question.minutes() > most {
                true => reply(504, "slow"),
                false => reply(200, matrix(&[("{}".to_owned(), up.collect())])),
            };
            async move { answer }
        })
        .await;
        let at = |minutes: i64| Moment::from_unix_ms(minutes * 60_000);
        let reader = Reader::new(prometheus(&url, Span::from_mins(2)));
        let found = super::holes(&reader, at(from), at(until)).await.expect("it answers");
        let minutes = |at: Moment| at.unix_ms() / 60_000;
        let asked = asked.lock().expect("asked").clone();
        (found.iter().map(|hole| (minutes(hole.from), minutes(hole.until))).collect(), asked)
    }

    /// How much is looked at before each moment, and how long ago, in milliseconds.
    fn closely(selector: &str) -> (i64, i64) {
        let Some((_, rest)) = selector.split_once("count_over_time(up[") else { return (0, 0) };
        let (length, rest) = rest.split_once("ms]").expect("its end");
        let ago = rest.strip_prefix(" offset ").and_then(|rest| rest.split_once("ms)"));
        (length.parse().expect("a number"), ago.map_or(0, |(ago, _)| ago.parse().expect("a number")))
    }

    /// `--since 15d` of a Prometheus that was started a minute ago is no empty past.
    #[tokio::test]
    async fn every_sample_counts_wherever_it_lies() {
        for ends in ALL {
            for length in [60, 120, 24 * 60, 15 * 24 * 60] {
                let until = 100_003 + length;
                let (holes, _) = said(ends, (100_003, until), (0, until - 1), 1_000_000).await;
                assert_eq!(holes.len(), 1, "{ends:?} {length} {holes:?}");
                assert!(
                    holes[0].0 == 100_003 && holes[0].1 >= until - 6 && holes[0].1 < until,
                    "{ends:?} {length} {holes:?}"
                );
                let (holes, _) = said(ends, (100_003, until), (0, until + 60), 1_000_000).await;
                assert_eq!(holes, [(100_003, until)], "{ends:?} {length}");
            }
        }
    }

    #[tokio::test]
    async fn a_time_without_samples_is_found_and_no_other_whichever_ends_belong_to_a_range() {
        let month = 30 * 24 * 60;
        for ends in ALL {
            for (from, until) in [(0, month), (17, month + 43), (1, 1 + 11 * 60), (59, 3 * 60 + 1), (7, 9)] {
                let (holes, _) = said(ends, (from, until), (0, 0), month * 2).await;
                assert_eq!(holes, [], "{ends:?} {from} {until}");
            }
            let (holes, _) = said(ends, (17, month), (6 * 60 + 10, 9 * 60 + 10), month * 2).await;
            assert_eq!(holes, [(6 * 60 + 10, 9 * 60 + 5)], "{ends:?}");
            let (holes, _) = said(ends, (17, month), (0, 9 * 60), month * 2).await;
            assert_eq!(holes, [(17, 9 * 60 - 5)], "{ends:?}");
        }
    }

    #[tokio::test]
    async fn a_month_that_is_too_much_at_once_is_asked_in_parts() {
        for ends in ALL {
            let (holes, asked) = said(ends, (17, 40 * 60), (20 * 60 + 10, 22 * 60), 11 * 60).await;
            assert_eq!(holes, [(20 * 60 + 10, 22 * 60 - 5)], "{ends:?}");
            assert_eq!(asked, [40, 20, 10, 10, 10, 10, 2].map(|hours| hours * 60), "{ends:?}");
        }
    }

    fn holes(known: &[i64]) -> Vec<(i64, i64)> {
        let hour = |at: i64| Moment::from_unix_ms(at * 3_600_000);
        let known = known.iter().map(|at| at * 3_600_000).collect();
        let found = between(known, (hour(10), hour(20)), Span::ZERO, STEP);
        found.iter().map(|hole| (hole.from.unix_ms() / 3_600_000, hole.until.unix_ms() / 3_600_000)).collect()
    }

    #[test]
    fn a_time_that_is_known_each_hour_has_no_hole() {
        assert_eq!(holes(&[11, 12, 13, 14, 15, 16, 17, 18, 19, 20]), []);
        assert_eq!(
            holes(&[9, 10, 11, 12, 13, 14, 14, 15, 16, 17, 18, 19, 20]),
            [],
            "as Prometheus 2 answers"
        );
    }

    #[test]
    fn what_is_not_known_is_a_hole_at_the_beginning_between_and_at_the_end() {
        assert_eq!(holes(&[13, 14, 17, 18]), [(10, 13), (14, 17), (18, 20)]);
        assert_eq!(holes(&[]), [(10, 20)]);
    }

    #[test]
    fn steps_are_whole_seconds() {
        let steps = [30, 25 * 60, 11 * 3600, 30 * 86_400].map(|secs| step(Span::from_secs(secs)).ms() / 1000);
        assert_eq!(steps, [2, 125, 3300, 3600]);
        assert_eq!(step(Span::from_ms(1)), Span::from_secs(1));
    }
}
