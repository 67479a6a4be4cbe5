//! Questions and effects under way: each a task with a deadline, so many at once, each ending as an input. An errand
//! that panics has an end too.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::action::{Intent, Outcome};
use paramedic_policies::answer::{Answer, Found};
use paramedic_policies::event::Seq;
use paramedic_policies::input::Input;
use paramedic_policies::notifications::{Notice, Receipt};
use paramedic_policies::question::Question;
use paramedic_policies::time::Moment;
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::Instrument;

use crate::clock::Clock;
use crate::redaction::Redactor;

/// Questions at once: more would be a burden on a Prometheus that may be sick.
const QUESTIONS_AT_ONCE: usize = 16;

/// Messages at once, so that a slow receiver does not hold up the others.
const DELIVERIES_AT_ONCE: usize = 16;

/// What an effect, or the closing of one, is given beyond its deadline to find out itself how it ended; longer than the
/// remedies take for it.
const GRACE: Duration = Duration::from_secs(220);

pub(super) struct Errands {
    world: Arc<dyn World>,
    clock: Arc<dyn Clock>,
    redactor: Redactor,
    questions: JoinSet<Input>,
    effects: JoinSet<Input>,
    deliveries: JoinSet<Input>,
    asked: HashMap<Id, Seq>,
    acting: HashMap<Id, Seq>,
    telling: HashMap<Id, Seq>,
    /// Intents with a task, so that none is closed while it runs.
    running: BTreeSet<Seq>,
    question_places: Arc<Semaphore>,
    delivery_places: Arc<Semaphore>,
}

impl Errands {
    pub(super) fn new(world: Arc<dyn World>, clock: Arc<dyn Clock>, redactor: Redactor) -> Self {
        Self {
            world,
            clock,
            redactor,
            questions: JoinSet::new(),
            effects: JoinSet::new(),
            deliveries: JoinSet::new(),
            asked: HashMap::new(),
            acting: HashMap::new(),
            telling: HashMap::new(),
            running: BTreeSet::new(),
            question_places: Arc::new(Semaphore::new(QUESTIONS_AT_ONCE)),
            delivery_places: Arc::new(Semaphore::new(DELIVERIES_AT_ONCE)),
        }
    }

    /// Drops all questions.
    pub(super) fn forget_questions(&mut self) {
        self.questions = JoinSet::new();
        self.asked.clear();
    }

    /// Whether an intent is being carried out by this process.
    pub(super) fn is_running(&self, intent: Seq) -> bool {
        self.running.contains(&intent)
    }

    /// Whether any effect is under way.
    pub(super) fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Asks.
    pub(super) fn ask(&mut self, question: Question) {
        let (world, clock) = (Arc::clone(&self.world), Arc::clone(&self.clock));
        let places = Arc::clone(&self.question_places);
        let span = tracing::debug_span!("question", id = %question.id, case = %question.case);
        let id = question.id;
        let task = async move {
            let within = until(&*clock, question.deadline);
            // The moment before asking: a fact is at most as fresh as that.
            let taken_at = clock.wall();
            let asking = async {
                let _place = places.acquire().await;
                (clock.wall(), world.answer(&question).await)
            };
            let (taken_at, found) = match tokio::time::timeout(within, asking).await {
                Ok(answered) => answered,
                Err(_) => {
                    (taken_at, Found::Failed { what: format!("no answer within {} ms", within.as_millis()) })
                }
            };
            Input::Told(Answer { question: id, taken_at, found })
        };
        let handle = self.questions.spawn(task.instrument(span));
        self.asked.insert(handle.id(), id);
    }

    /// Carries out an intent, until `halt` says why not.
    pub(super) fn act(&mut self, seal: Sealed<Intent>, halt: Halt) {
        let (world, clock) = (Arc::clone(&self.world), Arc::clone(&self.clock));
        let span = tracing::info_span!(
            "effect",
            intent = %seal.id,
            stamp = seal.stamp(),
            correlation = seal.correlation.as_deref().unwrap_or("-"),
        );
        self.start(seal.id, span, async move {
            tracing::info!(target = %seal.target, action = %seal.action, mode = %seal.mode, "effect begins");
            let within = until(&*clock, seal.deadline) + GRACE;
            let outcome = match tokio::time::timeout(within, world.perform(&seal, &halt)).await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::Unknown { what: "it did not end by its deadline".to_owned() },
            };
            tracing::info!(outcome = outcome.name(), "effect ended");
            outcome
        });
    }

    /// Delivers a message. It waits for nothing else, and nothing waits for it.
    pub(super) fn deliver(&mut self, notice: Sealed<Notice>) {
        let (world, clock) = (Arc::clone(&self.world), Arc::clone(&self.clock));
        let places = Arc::clone(&self.delivery_places);
        let span = tracing::info_span!("delivery", notice = %notice.id, receiver = notice.receiver);
        let id = notice.id;
        let task = async move {
            let delivery = async {
                let _place = places.acquire().await;
                world.deliver(&notice).await
            };
            let receipt = tokio::time::timeout(until(&*clock, notice.deadline), delivery).await;
            let receipt = receipt.unwrap_or_else(|_| Receipt::Failed {
                what: format!("{} did not answer in time", notice.receiver),
                passing: true,
            });
            Input::Delivered { notice: id, receipt }
        };
        let handle = self.deliveries.spawn(task.instrument(span));
        self.telling.insert(handle.id(), id);
    }

    /// Finds out how an intent ended whose process is gone: that may take until its deadline, as the effect itself.
    pub(super) fn close(&mut self, seal: Sealed<Intent>) {
        let (world, clock) = (Arc::clone(&self.world), Arc::clone(&self.clock));
        let span = tracing::info_span!("close", intent = %seal.id, stamp = seal.stamp());
        self.start(seal.id, span, async move {
            let within = until(&*clock, seal.deadline) + GRACE;
            match tokio::time::timeout(within, world.close(&seal)).await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::Unknown { what: "its end could not be found out in time".to_owned() },
            }
        });
    }

    /// Delivers an outcome that is known already.
    pub(super) fn known(&mut self, intent: Seq, outcome: Outcome) {
        self.start(intent, tracing::Span::none(), async move { outcome });
    }

    fn start(
        &mut self,
        intent: Seq,
        span: tracing::Span,
        ending: impl Future<Output = Outcome> + Send + 'static,
    ) {
        let task = async move { Input::Ended { intent, outcome: ending.await } };
        let handle = self.effects.spawn(task.instrument(span));
        self.acting.insert(handle.id(), intent);
        self.running.insert(intent);
    }

    /// The next errand that ends, redacted; never, while there is none. Dropping it loses nothing.
    pub(super) async fn next(&mut self) -> Input {
        let end = self.end().await;
        self.redactor.end(end)
    }

    async fn end(&mut self) -> Input {
        loop {
            tokio::select! {
                Some(end) = self.effects.join_next_with_id() => {
                    let (id, end) = split(end);
                    let Some(intent) = self.acting.remove(&id) else { continue };
                    self.running.remove(&intent);
                    return end.unwrap_or_else(|error| Input::Ended {
                        intent,
                        outcome: Outcome::Unknown { what: format!("its task broke: {error}") },
                    });
                }
                Some(end) = self.deliveries.join_next_with_id() => {
                    let (id, end) = split(end);
                    let Some(notice) = self.telling.remove(&id) else { continue };
                    return end.unwrap_or_else(|error| Input::Delivered {
                        notice,
                        receipt: Receipt::Failed { what: format!("its task broke: {error}"), passing: true },
                    });
                }
                Some(end) = self.questions.join_next_with_id() => {
                    let (id, end) = split(end);
                    let Some(question) = self.asked.remove(&id) else { continue };
                    return end.unwrap_or_else(|error| Input::Told(Answer {
                        question,
                        taken_at: self.clock.wall(),
                        found: Found::Failed { what: format!("its task broke: {error}") },
                    }));
                }
                else => std::future::pending().await,
            }
        }
    }
}

fn split(end: Result<(Id, Input), JoinError>) -> (Id, Result<Input, JoinError>) {
    match end {
        Ok((id, input)) => (id, Ok(input)),
        Err(error) => (error.id(), Err(error)),
    }
}

fn until(clock: &dyn Clock, deadline: Moment) -> Duration {
    deadline.since(clock.wall()).duration()
}
