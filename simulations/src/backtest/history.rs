//! The past as it is replayed: what Alertmanager sent or would have sent, oldest first. A source holds only what it needs
//! to go on, however long the past is.

use std::fmt;

use async_trait::async_trait;
use paramedic_policies::alert::Alert;
use paramedic_policies::time::Moment;

/// What was heard at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// When it was received.
    pub at: Moment,
    /// Alerts that began, were repeated, or ended.
    pub alerts: Vec<Alert>,
    /// How many alerts Alertmanager left out.
    pub truncated: u64,
}

/// The past, one delivery after the other.
#[async_trait]
pub trait History: Send {
    /// The next delivery, not before the one before it; `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read any further.
    async fn next(&mut self) -> Result<Option<Heard>, HistoryError>;

    /// The first and the last moment of which the source tells anything, as far as it was read, where that is more than its
    /// deliveries show.
    fn tells(&self) -> Option<(Moment, Moment)> {
        None
    }

    /// What reading it has put into doubt, in sentences.
    fn doubts(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why the past could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryError {
    /// What was tried, on what, and what came of it.
    pub problem: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether what was read is wrong, and not the reading.
    pub is_content: bool,
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for HistoryError {}
