//! Watches a rollout to its end, since a 200 to the change says only that it was asked for. Never acts.

use std::time::Duration;

use paramedic_policies::action::{Diff, Intent, Outcome};

use crate::one_change;
use crate::ports::clock::left;
use crate::ports::cluster::LookError;
use crate::remedy::Eyes;
use crate::retry;
use crate::seal::Sealed;

/// How often a rollout is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at least once, so that a rollout that ended before its deadline is seen to have ended after a crash too.
///
/// A rollout that is stuck is believed after `patience`: what takes a workload out of a stuck rollout finds the old
/// verdict still there.
pub(crate) async fn watch(eyes: Eyes<'_>, seal: &Sealed<Intent>, diff: Diff, patience: Duration) -> Outcome {
    let begun = tokio::time::Instant::now();
    let until = tokio::time::Instant::now() + left(eyes.clock, seal.deadline);
    let late = |seen: &str| Outcome::Failed {
        what: format!("the rollout of {} was not complete by {}: {seen}", seal.target, seal.deadline),
        applied: true,
        diff: None,
    };
    loop {
        let time = until.saturating_duration_since(tokio::time::Instant::now()).max(LOOK_EVERY);
        let looked = retry::question(
            time,
            one_change::is_transient,
            || one_change::late(&seal.target),
            || async { eyes.cluster()?.rollout(&seal.target).await },
        );
        let seen = match looked.await {
            Ok(rollout) if rollout.complete => return Outcome::Done { diff: Some(diff), already: false },
            Ok(rollout) if rollout.stuck && begun.elapsed() >= patience => {
                let what = format!("the rollout of {} is stuck: {}", seal.target, rollout.detail);
                return Outcome::Failed { what, applied: true, diff: None };
            }
            Ok(rollout) => rollout.detail,
            Err(error @ LookError::Absent { .. }) => {
                return Outcome::Failed {
                    what: format!("{error} any more, its rollout never ended"),
                    applied: true,
                    diff: None,
                };
            }
            Err(
                error @ (LookError::NoKubernetes | LookError::Forbidden { .. } | LookError::Failed { .. }),
            ) => error.to_string(),
        };
        if tokio::time::Instant::now() + LOOK_EVERY > until {
            return late(&seen);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
