//! How the daemon stands, as of the last durable block: what `/readyz`, `/metrics` and `/api/v1/status` show without
//! asking the driver.

use paramedic_policies::book::Digest;
use paramedic_policies::event::Seq;
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use serde::Serialize;

/// How the daemon stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The journal.
    pub journal: JournalStanding,
    /// Sequence of the next record.
    pub next: Seq,
    /// Time of the last record.
    pub now: Moment,
    /// The book in force.
    pub book: Option<Digest>,
    /// Policies in it.
    pub policies: usize,
    /// Whether this process leads.
    pub leader: bool,
    /// A clock step that nobody has accepted, in milliseconds.
    pub clock_stepped_ms: Option<i64>,
    /// When time goes on, after a wall clock that had run ahead was put right; it may be past.
    pub stands_still_until: Option<Moment>,
    /// Since when it storms, and why.
    pub storm: Option<(Moment, String)>,
    /// Open episodes.
    pub episodes_open: usize,
    /// Cases that are remembered, at rest or not.
    pub cases: usize,
    /// Proposals that wait for a person.
    pub proposals: usize,
    /// Effects under way.
    pub in_flight: usize,
    /// When the first of them should have ended.
    pub first_deadline: Option<Moment>,
    /// Actions that will be taken back.
    pub leases: usize,
    /// Pauses in force.
    pub pauses: usize,
    /// Policies in quarantine.
    pub quarantined: usize,
}

/// How the journal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum JournalStanding {
    /// It has not been opened yet.
    #[default]
    Opening,
    /// It takes blocks.
    Open,
    /// It does not; nothing acts.
    Broken {
        /// What was tried, and what came back.
        problem: String,
    },
    /// It would, but the engine has nothing to give to it that could be believed; nothing acts.
    Stuck {
        /// What should have been done.
        duty: String,
        /// What happened instead.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// The daemon is stopping.
    Stopping,
}

impl Standing {
    /// The standing of a state whose records are durable.
    pub(super) fn of(state: &State) -> Self {
        let book = state.book.and_then(|digest| state.books.get(&digest));
        Self {
            journal: JournalStanding::Open,
            next: state.next,
            now: state.now,
            book: state.book,
            policies: book.map_or(0, |book| book.written()),
            leader: state.leader,
            clock_stepped_ms: state.clock_stepped,
            stands_still_until: state.stands_still_until,
            storm: state.storm.since.clone(),
            episodes_open: state.open.len(),
            cases: state.cases.len(),
            proposals: state.proposals.len(),
            in_flight: state.in_flight.len(),
            first_deadline: state.in_flight.values().map(|flying| flying.intent.deadline).min(),
            leases: state.leases.len(),
            pauses: state.pauses.len(),
            quarantined: state.efficacy.values().filter(|one| one.quarantined_since.is_some()).count(),
        }
    }

    /// Whether webhooks are taken and decided.
    pub fn is_ready(&self) -> bool {
        self.journal == JournalStanding::Open && self.book.is_some()
    }
}
