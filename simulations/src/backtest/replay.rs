//! The production loop over the past: time moves from one delivery to the next, and to every moment that the engine itself
//! names in between. Every answer comes at once, at the moment of its question. Nothing is waited for but answers of PromQL.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::alert::{Alert, Labels};
use paramedic_policies::answer::{Answer, Found, Number, Sample};
use paramedic_policies::book::{Book, Source};
use paramedic_policies::event::Seq;
use paramedic_policies::evidence::Evidence;
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::notifications::{Notifications, Receipt as Delivered};
use paramedic_policies::question::{Ask, Fact, Question};
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::journal::Journal;
use paramedic_remediations::{Release, WriteAhead};

use super::assumed;
use super::doubts::Doubt;
use super::facts::{Facts, Learned};
use super::history::{Heard, HistoryError};
use super::repeats::Repeats;
use super::report::{Asked, Report};
use super::tally::Tally;

/// The journal's name in stamps, which nobody sees.
const JOURNAL: &str = "backtest";

/// How the past is replayed.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Since when; without it, since the first delivery.
    pub from: Option<Moment>,
    /// Until when; without it, until the last delivery.
    pub until: Option<Moment>,
    /// Without an end, and where alerts fire at the last delivery: the past goes on for as long as they stay open without news
    /// (`episodes.expiry`), and not beyond this. Nothing where the source has an end of its own.
    pub goes_on_until: Option<Moment>,
    /// How often Alertmanager would have repeated what still fires; nothing where the source has the repeats.
    pub repeat_every: Option<Span>,
    /// How many questions of one moment are asked together.
    pub questions_at_once: usize,
    /// What this source cannot tell.
    pub unknown: Vec<String>,
}

/// One book over the past.
#[derive(Debug)]
pub struct Replay {
    ahead: WriteAhead,
    tally: Tally,
    repeats: Repeats,
    questions_at_once: usize,
    from: Moment,
    now: Moment,
}

/// Makes a source fit for a backtest: nothing acts, and nobody is told.
fn rehearsed(mut source: Source) -> Source {
    source.settings.mode = Mode::DryRun;
    source.settings.notifications = Notifications::default();
    source
}

impl Replay {
    /// A process that begins then, under this book, and leads.
    pub fn new(source: Source, from: Moment, terms: &Terms) -> Self {
        let mut ahead = WriteAhead::new(State::new(), JOURNAL.to_owned());
        ahead.feed(from, &Input::Began { version: JOURNAL.to_owned() }, None);
        ahead.feed(from, &Input::Adopt(Box::new(rehearsed(source))), None);
        ahead.feed(from, &Input::Reign { leader: true, epoch: 1 }, None);
        let mut tally = Tally::new(ahead.state().current_book(), Seq(1));
        commit(&mut ahead, &mut tally);
        Self {
            ahead,
            tally,
            repeats: Repeats::new(terms.repeat_every),
            questions_at_once: terms.questions_at_once.max(1),
            from,
            now: from,
        }
    }

    /// What was counted so far.
    pub(super) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// The policies that are replayed.
    pub(super) fn book(&self) -> Arc<Book> {
        Arc::clone(self.tally.book())
    }

    /// How many alerts fire now.
    pub(super) fn firing(&self) -> usize {
        self.ahead.state().episodes.values().filter(|episode| episode.fires()).count()
    }

    /// Lets time pass until this delivery, and takes it.
    ///
    /// # Errors
    /// When the engine breaks its own laws.
    pub async fn hear(&mut self, heard: Heard, facts: &dyn Facts) -> Result<(), HistoryError> {
        self.pass(heard.at, facts).await?;
        self.now = self.now.max(heard.at);
        self.tally.deliveries += 1;
        self.repeats.hear(self.now, &heard.alerts);
        self.deliver(heard.alerts, heard.truncated, facts).await
    }

    /// What was counted, of a past that ends here and has [passed](Self::pass).
    pub(super) fn finish(self, until: Moment, unknown: Vec<String>) -> Report {
        self.tally.report(self.from, until.max(self.from), unknown)
    }

    /// Everything that is due before a moment. What is due at it comes after what is heard at it: an alert that ends
    /// is not acted upon any more.
    ///
    /// # Errors
    /// As [`hear`](Self::hear).
    pub(super) async fn pass(&mut self, until: Moment, facts: &dyn Facts) -> Result<(), HistoryError> {
        loop {
            let wake = self.ahead.wake();
            let repeat = self.repeats.due();
            let Some(due) = wake.into_iter().chain(repeat).min().filter(|due| *due < until) else {
                return Ok(());
            };
            self.now = self.now.max(due);
            if repeat.is_some_and(|repeat| repeat <= self.now) {
                let alerts = self.repeats.take(self.now);
                self.deliver(alerts, 0, facts).await?;
            } else {
                self.ahead.feed(self.now, &Input::Wake, None);
                self.settle(facts).await?;
            }
        }
    }

    async fn deliver(
        &mut self,
        alerts: Vec<Alert>,
        truncated: u64,
        facts: &dyn Facts,
    ) -> Result<(), HistoryError> {
        let delivery = Delivery {
            sender: String::new(),
            receiver: String::new(),
            group_key: String::new(),
            correlation: String::new(),
            alerts,
            unreadable: Vec::new(),
            truncated,
        };
        self.ahead.feed(self.now, &Input::Alerts(delivery), None);
        self.settle(facts).await
    }

    /// Answers all that is asked, and ends all that is done, until nothing more follows at this moment.
    async fn settle(&mut self, facts: &dyn Facts) -> Result<(), HistoryError> {
        loop {
            if let Some(stuck) = self.ahead.stuck() {
                return Err(HistoryError {
                    problem: format!("at {}: {stuck}", self.now),
                    hint: Some(
                        "this is a mistake in paramedic: please report it with the policies".to_owned(),
                    ),
                    is_content: false,
                });
            }
            let releases = commit(&mut self.ahead, &mut self.tally);
            if releases.is_empty() {
                return Ok(());
            }
            let mut asked = Vec::new();
            for release in releases {
                let ended = match release {
                    Release::Ask(question) => {
                        asked.push(question);
                        continue;
                    }
                    Release::Reply { .. } => continue,
                    Release::Act(seal) if seal.action.looks_only() => {
                        let evidence = Evidence { pieces: Vec::new(), left_out: Vec::new() };
                        Input::Ended {
                            intent: seal.id,
                            outcome: Outcome::Collected { evidence: Box::new(evidence) },
                        }
                    }
                    Release::Act(seal) | Release::Close(seal) => Input::Ended {
                        intent: seal.id,
                        outcome: Outcome::Done { diff: None, already: false },
                    },
                    Release::Deliver(seal) => {
                        let said = "nobody is told of the past".to_owned();
                        Input::Delivered { notice: seal.id, receipt: Delivered::Taken { said } }
                    }
                };
                self.ahead.feed(self.now, &ended, None);
            }
            self.answer(asked, facts).await;
        }
    }

    async fn answer(&mut self, asked: Vec<Question>, facts: &dyn Facts) {
        let (at, most) = (self.now, self.questions_at_once);
        let state = self.ahead.state();
        let is_outside = |question: &Question| facts.is_recorded() || is_of_the_past(question);
        let learned: Vec<(Question, Learned)> = if asked.iter().any(is_outside) {
            let each = asked.into_iter().map(|question| async move {
                let learned = match is_outside(&question) {
                    true => facts.learn(&question.ask, at).await,
                    false => Learned::NotKnown,
                };
                (question, learned)
            });
            stream::iter(each).buffered(most).collect().await
        } else {
            asked.into_iter().map(|question| (question, Learned::NotKnown)).collect()
        };
        let learned: Vec<(Question, Learned)> = learned
            .into_iter()
            .map(|(question, learned)| {
                let learned = match learned {
                    Learned::NotKnown => here(state, &question),
                    found @ Learned::Found(_) => found,
                };
                (question, learned)
            })
            .collect();
        for (question, learned) in learned {
            if let Ask::Preflight { wish, .. } = &question.ask {
                self.tally.wants(question.case.episode, &question.case.policy, wish);
            }
            let found = self.counted(&question, learned, facts.is_recorded());
            let answer = Answer { question: question.id, taken_at: at, found };
            self.ahead.feed(at, &Input::Told(answer), None);
        }
    }

    /// Counts what came of a question, and says it as an answer.
    fn counted(&mut self, question: &Question, learned: Learned, is_recorded: bool) -> Found {
        let mut nowhere = Asked::default();
        let counts = match kind(question) {
            Kind::OfTheEngine => &mut nowhere,
            Kind::Query => &mut self.tally.asked,
            Kind::LookUp => &mut self.tally.looked_up,
        };
        counts.questions += 1;
        match learned {
            Learned::Found(found) => {
                let is_failed = matches!(found, Found::Failed { .. });
                counts.failed += u64::from(is_failed);
                // A live failure is part of what is replayed; one of today says nothing of the past.
                if is_failed && is_of_the_past(question) && !is_recorded {
                    self.tally.doubt(question.case.episode, &question.case.policy, Doubt::Unjudged);
                }
                found
            }
            Learned::NotKnown => {
                counts.not_known += 1;
                let case = &question.case;
                self.tally.not_known(case.episode, &case.policy, question.fact.to_string());
                Found::Failed { what: "this history does not tell".to_owned() }
            }
        }
    }
}

/// Counts what was decided, and says what follows from it.
fn commit(ahead: &mut WriteAhead, tally: &mut Tally) -> Vec<Release> {
    let Some(block) = ahead.take_block() else { return ahead.take_ready() };
    let receipt =
        tally.append(&block).expect("the loop hands its blocks over in order, and counting cannot fail");
    ahead.committed(&receipt)
}

/// Which questions are counted as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `let` and `when`.
    Query,
    /// A target that has to be looked up.
    LookUp,
    /// What every action asks.
    OfTheEngine,
}

fn kind(question: &Question) -> Kind {
    match (&question.fact, &question.ask) {
        (Fact::Confirmation, _) => Kind::OfTheEngine,
        (_, Ask::Query { .. }) => Kind::Query,
        (_, Ask::Seek { .. }) => Kind::LookUp,
        (_, Ask::Preflight { .. } | Ask::Rollout { .. } | Ask::Http { .. }) => Kind::OfTheEngine,
    }
}

/// Whether the answer is to be looked for outside.
fn is_of_the_past(question: &Question) -> bool {
    kind(question) != Kind::OfTheEngine
}

/// What a history of alerts answers by itself.
fn here(state: &State, question: &Question) -> Learned {
    match (&question.fact, &question.ask) {
        // What Prometheus showed as firing is what is replayed.
        (Fact::Confirmation, _) => {
            let open = state.episodes.get(&question.case.episode).is_some_and(|one| one.is_open());
            let sample = Sample { labels: Labels::new(), value: Number(1.0) };
            Learned::Found(Found::Series(open.then_some(sample).into_iter().collect()))
        }
        (_, Ask::Preflight { wish, .. }) => {
            Learned::Found(Found::Preflight(Box::new(assumed::preflight(wish))))
        }
        (_, Ask::Query { .. } | Ask::Seek { .. } | Ask::Rollout { .. } | Ask::Http { .. }) => {
            Learned::NotKnown
        }
    }
}
