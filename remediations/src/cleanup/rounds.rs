//! Sweeping until nothing is left to sweep: an object with traces of several kinds needs as many looks, since each change is
//! tested against the last one. It must never take for gone what its last look did not see.

use super::{Came, Does, Sweep, Trace, Traces, sweep};
use crate::ports::cluster::ChangeError;

const ROUNDS_MAX: usize = 4;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Swept {
    /// What the looks after the first have found and the first had not, or had said otherwise.
    pub anew: Vec<Trace>,
    /// The last look: what is left, and what nobody could see, is judged by it.
    pub last: Traces,
    /// How many traces were cleaned.
    pub cleaned: usize,
    /// What was not, or nobody knows.
    pub failed: Vec<String>,
}

/// Cleans what a first look has found, and looks again while something was refused and something else was not; `told` is
/// called for each trace, with its number and how many there are in its round.
pub async fn sweep_in_rounds(
    first: &Traces,
    look: impl AsyncFn() -> Traces,
    send: impl AsyncFn(&Sweep) -> Result<(), ChangeError>,
    mut told: impl FnMut(usize, usize, &Trace, &Came),
) -> Swept {
    let mut swept = Swept { last: first.clone(), ..Swept::default() };
    for _ in 0..ROUNDS_MAX {
        let (all, mut number) = (wanted(&swept.last), 0);
        let (mut cleaned, mut failed) = (0, Vec::new());
        sweep(&swept.last.found, &send, |trace, came| {
            number += 1;
            match came {
                Came::Done => cleaned += 1,
                Came::Refused(_) | Came::Unknown(_) => failed.push(trace.at.to_string()),
            }
            told(number, all, trace, came);
        })
        .await;
        swept.cleaned += cleaned;
        swept.failed = failed;
        if swept.failed.is_empty() || cleaned == 0 {
            break;
        }
        swept.last = look().await;
        for trace in &swept.last.found {
            if is_new(trace, &first.found) && is_new(trace, &swept.anew) {
                swept.anew.push(trace.clone());
            }
        }
        if wanted(&swept.last) == 0 {
            // What failed is gone, or left with a reason, where all could be seen; else nobody knows.
            if swept.last.unseen.is_empty() {
                swept.failed.clear();
            }
            break;
        }
    }
    swept
}

/// How many traces of a look would be cleaned.
pub fn wanted(traces: &Traces) -> usize {
    traces.found.iter().filter(|trace| matches!(trace.does, Does::Sweep(_))).count()
}

/// Whether a look says something that another one did not. A change of the same object reads otherwise in every look.
fn is_new(trace: &Trace, known: &[Trace]) -> bool {
    let is_same = |one: &&Trace| (&one.at, &one.stamp) == (&trace.at, &trace.stamp);
    !known.iter().filter(is_same).any(|one| match (&one.does, &trace.does) {
        (Does::Sweep(_), Does::Sweep(_)) => true,
        (Does::Leave(one), Does::Leave(other)) => one == other,
        (Does::Sweep(_), Does::Leave(_)) | (Does::Leave(_), Does::Sweep(_)) => false,
    })
}
