//! The one task that owns the loop: it takes inputs from the inbox, hands blocks to the journal, and lets replies,
//! questions and effects leave when their block is durable.
//!
//! ```text
//!   Inbox --Letter--> Driver: WriteAhead --Block--> Committer --Receipt--> releases:
//!     ^                  ^                                         |-- Reply --> whoever posted
//!     |                  '---- Told, Ended ---- Errands <----------|-- Ask, Act, Close
//!   webhook, API                                                   '-- standing, stream, metrics
//! ```
//!
//! While one append is in flight, what comes in is decided and collected for the next. When an append fails, the
//! state is thrown away and nothing acts until the journal has been opened and folded again; the same when an append
//! hangs, the journal's files are gone, or the engine is stuck. It must never decide anything itself, and never hold a
//! lock.

mod errands;
mod inbox;
mod journals;
mod life;
mod standing;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::action::Outcome;
use paramedic_policies::book::Source;
use paramedic_policies::event::Seq;
use paramedic_policies::input::Input;
use paramedic_policies::time::Moment;
use paramedic_remediations::Turns;
use paramedic_remediations::ports::world::World;
use tokio::sync::{mpsc, watch};

use crate::clock::{Clock, ClockGuard};
use crate::metrics::Metrics;
use crate::redaction::Redactor;
use errands::Errands;
use inbox::Letter;
pub use inbox::{Inbox, Taken, Turned};
pub use journals::{Archive, Committer, Journals, Opened, ReadProblem};
use life::{End, Life};
pub use standing::{JournalStanding, Standing};
use trouble::Trouble;

/// Letters that wait. Beyond it the answer is 503, and Alertmanager comes again.
pub const INBOX_MAX: usize = 1024;

/// How long effects may go on after the order to stop. An effect that is cut off is closed at the next start.
pub const EFFECTS_END_WITHIN: Duration = Duration::from_secs(20);

/// What the driver works with.
pub struct Equipment {
    /// Opens the journal, again after it broke.
    pub journals: Arc<dyn Journals>,
    /// Answers questions, carries out intents.
    pub world: Arc<dyn World>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Cleans what comes back from the world.
    pub redactor: Redactor,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The book that should be in force; `None` leaves the last adopted one.
    pub book: watch::Receiver<Option<NewBook>>,
    /// Turns true when the process is to stop.
    pub stop: watch::Receiver<bool>,
    /// Version of the program.
    pub version: String,
}

/// A book that should be in force.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBook {
    /// What it is made of, checked to load.
    pub source: Arc<Source>,
    /// The operator who asked for it, where one did.
    pub by: Option<String>,
}

impl NewBook {
    /// The book as an input.
    pub fn input(&self) -> Input {
        let source = Box::new(Source::clone(&self.source));
        match &self.by {
            Some(by) => Input::Reload { by: by.clone(), source },
            None => Input::Adopt(source),
        }
    }
}

/// The driver, ready to run.
pub struct Driver {
    equipment: Equipment,
    letters: mpsc::Receiver<Letter>,
    standing: watch::Sender<Standing>,
    archive: watch::Sender<Option<Arc<dyn Archive>>>,
    errands: Errands,
    /// Effects that may begin when there is a place, and what stops those under way. Across lives: they go on.
    turns: Turns,
    /// Outcomes that came while there was no journal to take them.
    kept: BTreeMap<Seq, Outcome>,
    /// Across lives: a step while the journal is broken must not go unseen.
    guard: ClockGuard,
    /// A step that was seen and is in no block yet.
    unsaid_step_ms: Option<i64>,
}

impl Driver {
    /// A driver and the way to reach it.
    pub fn new(equipment: Equipment) -> (Self, Inbox) {
        let (to_driver, letters) = mpsc::channel(INBOX_MAX);
        let (standing, standing_seen) = watch::channel(Standing::default());
        let (archive, archive_seen) = watch::channel(None);
        let inbox = Inbox::new(to_driver, standing_seen, archive_seen);
        let (world, clock) = (Arc::clone(&equipment.world), Arc::clone(&equipment.clock));
        let errands = Errands::new(world, clock, equipment.redactor.clone());
        let kept = BTreeMap::new();
        let guard = ClockGuard::new(&*equipment.clock);
        let driver = Self {
            equipment,
            letters,
            standing,
            archive,
            errands,
            turns: Turns::default(),
            kept,
            guard,
            unsaid_step_ms: None,
        };
        (driver, inbox)
    }

    /// Runs until it is told to stop, beginning with an opened journal. When the engine breaks one of its own laws,
    /// nothing acts, as when the journal fails.
    pub async fn run(mut self, opened: Opened) {
        let mut next = Some(opened);
        while let Some(opened) = next {
            let archive = Arc::clone(&opened.archive);
            self.archive.send_replace(Some(archive));
            match Life::begin(&mut self, opened).run().await {
                End::Stopped => return,
                End::Broken(trouble) => next = self.frozen(trouble).await,
            }
        }
    }

    /// Waits for a journal that opens again. Nothing acts, intake is refused; effects that were under way make no further
    /// change, since nobody could stop them, and the outcomes of those that end are kept for the next life.
    async fn frozen(&mut self, mut trouble: Trouble) -> Option<Opened> {
        self.errands.forget_questions();
        let (mut wait, longest) = trouble.waits();
        loop {
            trouble.say(wait, &self.equipment.metrics);
            self.standing.send_modify(|standing| standing.journal = trouble.standing());
            let journals = Arc::clone(&self.equipment.journals);
            // Opening may hang with the disk, so it is no reason to be deaf.
            let again = async move {
                tokio::time::sleep(wait).await;
                journals.open().await
            };
            tokio::pin!(again);
            let opened = loop {
                tokio::select! {
                    opened = &mut again => break opened,
                    () = ordered(&mut self.equipment.stop) => return None,
                    letter = self.letters.recv() => match letter {
                        Some(letter) => letter.turn_away(trouble.turned()),
                        None => return None,
                    },
                    end = self.errands.next() => {
                        // Answers to questions are asked for anew.
                        if let Input::Ended { intent, outcome } = end {
                            self.turns.ended(intent);
                            self.kept.insert(intent, outcome);
                        }
                    }
                }
            };
            match opened {
                Ok(opened) => {
                    tracing::warn!("journal is open again; the state was folded anew");
                    return Some(opened);
                }
                Err(error) => trouble = Trouble::Journal(error),
            }
            wait = longest.min(wait * 2);
        }
    }

    fn now(&self) -> Moment {
        self.equipment.clock.wall()
    }
}

/// Waits for the order to stop; whoever could give it being gone is one.
async fn ordered(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await.map(|_| ()));
}

#[cfg(test)]
pub(crate) mod tests;
