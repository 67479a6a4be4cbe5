//! What becomes of a change on its way to the API server and back. Each fault lasts for a while, or for a number of changes.

use paramedic_policies::time::Moment;

/// What goes wrong with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It times out, and nothing was changed.
    LosesRequests,
    /// It is made, and the answer is lost.
    LosesAnswers,
    /// The object was changed in between (409).
    Conflicts,
    /// The server breaks over it (500).
    Fails,
    /// The server turns it away unread (429).
    TooManyRequests,
    /// Admission refuses it (403).
    Denies,
}

/// The faults of a world.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(Vec<(Fault, Option<Moment>, Option<u32>)>);

impl Faults {
    /// From now on, until a time, for so many changes; for ever where neither is said.
    pub fn begin(&mut self, fault: Fault, until: Option<Moment>, changes: Option<u32>) {
        self.0.push((fault, until, changes));
    }

    /// What becomes of a change now.
    pub(crate) fn next(&mut self, now: Moment) -> Option<Fault> {
        self.0.retain(|(_, until, left)| until.is_none_or(|until| until > now) && *left != Some(0));
        let (fault, _, left) = self.0.first_mut()?;
        if let Some(left) = left {
            *left -= 1;
        }
        Some(*fault)
    }
}
