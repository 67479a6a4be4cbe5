//! A long time read in stretches, one after the other: shorter ones where that was too much, later where it was too busy, and
//! each moment once. Prometheus 2 gives a range with both its ends, Prometheus 3 and VictoriaMetrics without the first one; a
//! stretch is without it whoever answers. It must never ask for ever.

use std::sync::Arc;

use paramedic_policies::time::{Moment, Span};

use super::parts::{self, Unread};
use super::samples::{Series, Wanted};
use crate::prometheus::Prometheus;

/// Shorter stretches ask for nothing but trouble.
pub const SHORTEST: Span = Span::from_mins(5);

/// Prometheus takes a moment as seconds with a fraction: only whole ones are sure to be the same there.
const SECOND: Span = Span::from_secs(1);

/// How long a server may be too busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The first wait, which each further one doubles, where the server does not say how long.
    pub first: Span,
    /// No wait is longer, whatever it says.
    pub longest: Span,
    /// So many waits for one stretch.
    pub times: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first: Span::from_secs(1), longest: Span::from_mins(1), times: 6 }
    }
}

impl Patience {
    /// How long to wait after so many waits; nothing where it has come to its end.
    pub fn wait(self, waits: u32, told: Option<Span>) -> Option<Span> {
        let usual = Span::from_ms(self.first.ms().saturating_mul(1 << waits.min(16)));
        (waits < self.times).then(|| told.unwrap_or(usual).max(self.first).min(self.longest))
    }
}

/// What is asked of every stretch.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What stands before the brackets.
    pub promql: String,
    /// For a subquery: how far apart it is evaluated, at the multiples of that.
    pub step: Option<Span>,
    /// What is read of the samples.
    pub wanted: Wanted,
}

impl Asked {
    fn over(&self, length: Span) -> String {
        let step = self.step.map(|step| format!(":{}ms", step.ms())).unwrap_or_default();
        format!("{}[{}ms{step}]", self.promql, length.ms())
    }

    /// Stretches end at multiples of this.
    fn grain(&self) -> Span {
        self.step.unwrap_or(SECOND)
    }
}

/// What was read of a stretch.
#[derive(Debug)]
pub struct Stretch {
    /// Series with samples after [`after`](Self::after), up to [`until`](Self::until).
    pub series: Vec<Series>,
    /// Its beginning, which belongs to the stretch before.
    pub after: Moment,
    /// Its end, which belongs to it.
    pub until: Moment,
    /// Bytes of the answer.
    pub bytes: usize,
    /// How long it was asked for.
    pub length: Span,
    /// Whether a longer one was too much.
    pub was_cut: bool,
    /// What the answer says that it lacks.
    pub lacks: Option<String>,
}

/// Whoever reads stretches from a Prometheus.
#[derive(Clone)]
pub struct Reader {
    prometheus: Arc<Prometheus>,
    /// No answer that is larger is held.
    pub bytes_max: usize,
    /// How long it may be too busy.
    pub patience: Patience,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Reader {
    /// Reads from this Prometheus.
    pub fn new(prometheus: Arc<Prometheus>) -> Self {
        Self { prometheus, bytes_max: parts::BYTES_MAX, patience: Patience::default() }
    }

    /// The stretch after a moment, not beyond the end; a shorter one where that is too much for Prometheus, for what stands
    /// between, or for us.
    ///
    /// # Errors
    /// With what Prometheus says, where neither a shorter stretch nor waiting mends it.
    pub async fn read(
        &self,
        asked: &Asked,
        after: Moment,
        length: Span,
        end: Moment,
    ) -> Result<Stretch, Unread> {
        let shortest = SHORTEST.max(asked.grain());
        let (mut length, mut was_cut, mut waits) = (length.min(end.since(after)), false, 0);
        loop {
            let until = up_to(after + length, asked.grain()).min(end);
            let promql = asked.over(until.since(after));
            let answered =
                parts::read(&self.prometheus, &promql, until, (asked.wanted, self.bytes_max)).await;
            match answered {
                // A store behind it may have come to a limit of its own: of less, it may give all.
                Ok((samples, _))
                    if length > shortest && samples.lacks.as_deref().is_some_and(parts::is_of_amount) =>
                {
                    (length, was_cut) = (halved(length, shortest), true);
                }
                Ok((samples, bytes)) => {
                    let (mut series, lacks) = (samples.series, samples.lacks);
                    series.iter_mut().for_each(|one| one.forget_until(after.unix_ms()));
                    series.retain(|one| !one.at.is_empty());
                    return Ok(Stretch { series, after, until, bytes, length, was_cut, lacks });
                }
                Err(Unread::TooMuch(_)) if length > shortest => {
                    (length, was_cut) = (halved(length, shortest), true);
                }
                Err(Unread::TooMuch(problem)) => {
                    return Err(Unread::TooMuch(format!("even for {length}: {problem}")));
                }
                Err(Unread::Busy { problem, wait, hint }) => match self.patience.wait(waits, wait) {
                    Some(wait) => {
                        tracing::info!(problem, %wait, "Prometheus is busy");
                        tokio::time::sleep(wait.duration()).await;
                        waits += 1;
                    }
                    None => {
                        let problem = format!("{problem} (asked {} times)", waits + 1);
                        return Err(Unread::Failed { problem, hint });
                    }
                },
                Err(refused @ (Unread::NotAllowed(_) | Unread::Failed { .. })) => return Err(refused),
            }
        }
    }
}

/// Half as long, and not too short.
pub fn halved(length: Span, shortest: Span) -> Span {
    Span::from_ms(length.ms() / 2).max(shortest)
}

/// The next multiple of a grain, or this moment where it is one.
pub fn up_to(at: Moment, grain: Span) -> Moment {
    let over = at.unix_ms().rem_euclid(i64::try_from(grain.ms().max(1)).unwrap_or(i64::MAX));
    if over == 0 { at } else { at - Span::from_ms(over.unsigned_abs()) + grain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_heed_what_they_are_told_and_end() {
        let patience = Patience::default();
        let usual: Vec<u64> =
            (0..).map_while(|waits| patience.wait(waits, None)).map(|wait| wait.ms() / 1000).collect();
        assert_eq!(usual, [1, 2, 4, 8, 16, 32]);
        let told = |secs| patience.wait(0, Some(Span::from_secs(secs)));
        assert_eq!([told(10), told(3600), told(0)], [10, 60, 1].map(|secs| Some(Span::from_secs(secs))));
        assert_eq!(patience.wait(6, Some(Span::from_secs(1))), None);
    }

    #[test]
    fn stretches_end_at_multiples() {
        let at = |ms| up_to(Moment::from_unix_ms(ms), SECOND).unix_ms();
        assert_eq!([at(1000), at(1001), at(1999), at(2000)], [1000, 2000, 2000, 2000]);
    }
}
