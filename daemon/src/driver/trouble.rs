//! Why nothing acts, and what is said about it. Whatever the trouble, the state of the life before is thrown away: it
//! must never be acted on again.

use std::time::Duration;

use paramedic_remediations::Stuck;
use paramedic_remediations::ports::journal::JournalError;

use super::inbox::Turned;
use super::standing::JournalStanding;
use crate::metrics::Metrics;

/// The first and the longest wait before the journal is opened again.
const REOPEN_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What ended a life of the state.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The journal did not take a block, or did not open.
    Journal(JournalError),
    /// The engine does not come to rest: whatever it would decide next cannot be believed.
    Stuck(Stuck),
}

impl Trouble {
    /// How the daemon stands.
    pub(super) fn standing(&self) -> JournalStanding {
        match self {
            Self::Journal(error) => JournalStanding::Broken { problem: error.to_string() },
            Self::Stuck(stuck) => JournalStanding::Stuck {
                duty: stuck.duty.clone(),
                problem: stuck.to_string(),
                hint: Stuck::HINT.to_owned(),
            },
        }
    }

    /// What whoever waits is told.
    pub(super) fn turned(&self) -> Turned {
        match self {
            Self::Journal(error) => Turned::Frozen { problem: error.to_string() },
            Self::Stuck(stuck) => Turned::Stuck { problem: stuck.to_string() },
        }
    }

    /// How long to wait before the journal is opened again, and how long at most. The same records get stuck in the same
    /// place, so that there is no hurry.
    pub(super) fn waits(&self) -> (Duration, Duration) {
        let (first, longest) = REOPEN_AFTER;
        match self {
            Self::Journal(_) => (first, longest),
            Self::Stuck(_) => (longest, longest),
        }
    }

    /// Says it, in the log and in metrics.
    pub(super) fn say(&self, retry_in: Duration, metrics: &Metrics) {
        let retry_in_ms = retry_in.as_millis();
        match self {
            Self::Journal(error) => {
                tracing::error!(error = %error, retry_in_ms, "journal failed; nothing acts until it opens again");
                metrics.journal_failed();
            }
            Self::Stuck(stuck) => {
                tracing::error!(
                    error = %stuck,
                    duty = stuck.duty,
                    hint = Stuck::HINT,
                    retry_in_ms,
                    "engine is stuck; nothing acts until the journal is folded anew without that"
                );
                metrics.stuck();
            }
        }
    }
}
