//! The way to the driver: bounded, never waiting for a place, every answer with a deadline. It must never hand out
//! what is not durable.

use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::event::Seq;
use paramedic_policies::input::Input;
use paramedic_policies::state::State;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::journals::Archive;
use super::standing::{JournalStanding, Standing};

/// How long an answer may take. An append takes milliseconds; after this the sender had better come again.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// An input is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// First record that followed from it.
    pub first: Seq,
    /// The sequence after its last.
    pub end: Seq,
    /// Why an order was refused, where it was.
    pub refusal: Option<String>,
}

/// Why an input was not taken, or nobody knows whether it was. The sender may repeat it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    /// Too much is waiting.
    #[error("too many requests are waiting")]
    Full,
    /// The journal does not take records.
    #[error("the journal failed: {problem}")]
    Frozen {
        /// What was tried, and what came back.
        problem: String,
    },
    /// The engine does not come to rest.
    #[error("{problem}")]
    Stuck {
        /// On what.
        problem: String,
    },
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
    /// No answer in time.
    #[error("the journal did not answer within {} s", ANSWER_WITHIN.as_secs())]
    Late,
}

/// What arrives at the driver.
pub(super) enum Letter {
    /// An input.
    Take(Input, Waiter),
    /// A look at the state.
    Look(Look),
}

/// Whoever waits for an input to be durable.
pub(super) struct Waiter {
    answer: oneshot::Sender<Result<Taken, Turned>>,
    /// The input's part of the memory for all. Whoever sent it may be gone long before it is a durable record.
    memory: Option<OwnedSemaphorePermit>,
}

impl Waiter {
    /// Gives the memory back and answers. Who waited may have gone; the input is what it is all the same.
    pub(super) fn answer(self, with: Result<Taken, Turned>) {
        let Self { answer, memory } = self;
        drop(memory);
        drop(answer.send(with));
    }
}

/// Computes something from the state; what comes back sends it on, once all that was seen is durable.
pub(super) type Look = Box<dyn FnOnce(&State) -> Box<dyn FnOnce() + Send> + Send>;

impl Letter {
    /// Answers that it is not taken.
    pub(super) fn turn_away(self, why: Turned) {
        match self {
            Self::Take(_, waiter) => waiter.answer(Err(why)),
            Self::Look(_) => {}
        }
    }
}

/// The way to the driver.
#[derive(Clone)]
pub struct Inbox {
    letters: mpsc::Sender<Letter>,
    standing: watch::Receiver<Standing>,
    archive: watch::Receiver<Option<Arc<dyn Archive>>>,
}

impl Inbox {
    pub(super) fn new(
        letters: mpsc::Sender<Letter>,
        standing: watch::Receiver<Standing>,
        archive: watch::Receiver<Option<Arc<dyn Archive>>>,
    ) -> Self {
        Self { letters, standing, archive }
    }

    /// Hands over an input and waits until it is durable.
    ///
    /// # Errors
    /// When it was not taken, or not in time.
    pub async fn take(&self, input: Input) -> Result<Taken, Turned> {
        self.take_holding(input, None).await
    }

    /// Hands over an input with its part of a memory that is bounded, which is given back when the input is durable or
    /// turned away, whether or not anybody still waits here.
    ///
    /// # Errors
    /// As for [`take`](Self::take).
    pub async fn take_holding(
        &self,
        input: Input,
        memory: Option<OwnedSemaphorePermit>,
    ) -> Result<Taken, Turned> {
        self.refuse_while_broken()?;
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter { answer, memory };
        self.letters.try_send(Letter::Take(input, waiter)).map_err(turned)?;
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.gone()),
            Err(_) => Err(Turned::Late),
        }
    }

    /// Reads something from the state, once all that it shows is durable. The closure runs in the driver's task,
    /// so it must be quick.
    ///
    /// # Errors
    /// When there is no state to look at, or no answer in time.
    pub async fn look<T: Send + 'static>(
        &self,
        at: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, Turned> {
        self.refuse_while_broken()?;
        let (answer, answered) = oneshot::channel();
        let look: Look = Box::new(move |state| {
            let seen = at(state);
            Box::new(move || drop(answer.send(seen)))
        });
        self.letters.try_send(Letter::Look(look)).map_err(turned)?;
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(_)) => Err(self.gone()),
            Err(_) => Err(Turned::Late),
        }
    }

    /// How the daemon stands.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits for the standing to change.
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// The journal for reading, while it is open.
    pub fn archive(&self) -> Option<Arc<dyn Archive>> {
        self.archive.borrow().clone()
    }

    /// How many letters wait.
    pub fn depth(&self) -> usize {
        self.letters.max_capacity() - self.letters.capacity()
    }

    /// Whether anything would be taken now.
    ///
    /// # Errors
    /// Why not.
    pub fn refuse_while_broken(&self) -> Result<(), Turned> {
        match &self.standing.borrow().journal {
            JournalStanding::Broken { problem } => Err(Turned::Frozen { problem: problem.clone() }),
            JournalStanding::Stuck { problem, .. } => Err(Turned::Stuck { problem: problem.clone() }),
            JournalStanding::Stopping => Err(Turned::Stopping),
            JournalStanding::Opening | JournalStanding::Open => Ok(()),
        }
    }

    /// Why an answer will never come.
    fn gone(&self) -> Turned {
        self.refuse_while_broken().err().unwrap_or(Turned::Stopping)
    }
}

fn turned(error: mpsc::error::TrySendError<Letter>) -> Turned {
    match error {
        mpsc::error::TrySendError::Full(_) => Turned::Full,
        mpsc::error::TrySendError::Closed(_) => Turned::Stopping,
    }
}
