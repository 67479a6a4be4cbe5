//! The production loop over the past: time moves from one delivery to the next, and to every moment that the engine itself
//! names in between. Every answer comes at once, at the moment of its question. Nothing is waited for but answers of PromQL.

use std::collections::VecDeque;

use futures::StreamExt;
use futures::stream;
use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::answer::{Answer, Found, Number, Sample};
use paramedic_policies::book::Source;
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
use super::differences::{Differences, Plan};
use super::facts::{Facts, Learned};
use super::history::{Heard, History, HistoryError};
use super::report::Report;
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
    repeats: VecDeque<(Moment, Seq)>,
    repeat_every: Option<Span>,
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
    pub fn new(source: Source, from: Moment, terms: &Terms, keeps_actions: bool) -> Self {
        let mut ahead = WriteAhead::new(State::new(), JOURNAL.to_owned());
        ahead.feed(from, &Input::Began { version: JOURNAL.to_owned() }, None);
        ahead.feed(from, &Input::Adopt(Box::new(rehearsed(source))), None);
        ahead.feed(from, &Input::Reign { leader: true, epoch: 1 }, None);
        let mut tally = Tally::new(ahead.state().current_book(), Seq(1), keeps_actions);
        commit(&mut ahead, &mut tally);
        Self {
            ahead,
            tally,
            repeats: VecDeque::new(),
            repeat_every: terms.repeat_every,
            questions_at_once: terms.questions_at_once.max(1),
            from,
            now: from,
        }
    }

    /// What was counted so far.
    pub fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// Lets time pass until this delivery, and takes it.
    ///
    /// # Errors
    /// When the engine breaks its own laws.
    pub async fn hear(&mut self, heard: Heard, facts: &dyn Facts) -> Result<(), HistoryError> {
        self.pass(heard.at, facts).await?;
        self.now = self.now.max(heard.at);
        self.tally.deliveries += 1;
        self.deliver(heard.alerts, heard.truncated, facts).await
    }

    /// Lets time pass until the end, and says what was counted.
    ///
    /// # Errors
    /// As [`hear`](Self::hear).
    pub async fn finish(
        mut self,
        until: Moment,
        unknown: Vec<String>,
        facts: &dyn Facts,
    ) -> Result<Report, HistoryError> {
        self.pass(until, facts).await?;
        Ok(self.tally.report(self.from, until.max(self.from), unknown))
    }

    /// Everything that is due before a moment. What is due at it comes after what is heard at it: an alert that ends
    /// is not acted upon any more.
    async fn pass(&mut self, until: Moment, facts: &dyn Facts) -> Result<(), HistoryError> {
        loop {
            let wake = self.ahead.wake();
            let repeat = self.repeats.front().map(|(due, _)| *due);
            let Some(due) = wake.into_iter().chain(repeat).min().filter(|due| *due < until) else {
                return Ok(());
            };
            self.now = self.now.max(due);
            if repeat.is_some_and(|repeat| repeat <= self.now) {
                let alerts = self.repeated();
                if !alerts.is_empty() {
                    self.deliver(alerts, 0, facts).await?;
                }
            } else {
                self.ahead.feed(self.now, &Input::Wake, None);
                self.settle(facts).await?;
            }
        }
    }

    /// What Alertmanager repeats now, of what is still open.
    fn repeated(&mut self) -> Vec<Alert> {
        let Some(every) = self.repeat_every else { return Vec::new() };
        let mut alerts = Vec::new();
        while let Some((due, id)) = self.repeats.front().copied().filter(|(due, _)| *due <= self.now) {
            self.repeats.pop_front();
            let Some(episode) = self.ahead.state().episodes.get(&id).filter(|one| one.is_open()) else {
                continue;
            };
            alerts.push(Alert {
                status: AlertStatus::Firing,
                labels: episode.labels.clone(),
                annotations: episode.annotations.clone(),
                starts_at: episode.starts_at,
                ends_at: None,
                fingerprint: None,
            });
            self.repeats.push_back((due + every, id));
        }
        alerts
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
            self.note_opened();
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

    fn note_opened(&mut self) {
        let opened = std::mem::take(&mut self.tally.opened);
        if let Some(every) = self.repeat_every {
            self.repeats.extend(opened.into_iter().map(|id| (self.now + every, id)));
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
            let found = self.counted(&question, learned);
            let answer = Answer { question: question.id, taken_at: at, found };
            self.ahead.feed(at, &Input::Told(answer), None);
        }
    }

    /// Counts what came of a question, and says it as an answer.
    fn counted(&mut self, question: &Question, learned: Learned) -> Found {
        let counts = &mut self.tally.asked;
        let is_asked = is_of_the_past(question);
        counts.questions += u64::from(is_asked);
        match learned {
            Learned::Found(found) => {
                counts.failed += u64::from(is_asked && matches!(found, Found::Failed { .. }));
                found
            }
            Learned::NotKnown => {
                counts.not_known += u64::from(is_asked);
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

/// Whether the answer is to be looked for outside.
fn is_of_the_past(question: &Question) -> bool {
    match (&question.fact, &question.ask) {
        (Fact::Confirmation, _) => false,
        (_, Ask::Query { .. } | Ask::Seek { .. }) => true,
        (_, Ask::Preflight { .. } | Ask::Rollout { .. } | Ask::Http { .. }) => false,
    }
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

/// What history says of anybody's policies, whatever its source.
fn unknown(terms: &Terms) -> Vec<String> {
    let mut unknown = vec![
        "whether an action would have helped: each case stops at its first rung, as in dry-run, and what came after it \
         (verification, next rungs, reverts, relapses, the settle window) is not counted"
            .to_owned(),
        "what the cluster would have said (preflight, budgets, autoscalers, owners of fields, protection by labels): \
         assumed to allow every action"
            .to_owned(),
        "how long an action would have run: for the peak each one runs until its deadline".to_owned(),
        "pauses, approvals and silences of that time: assumed that there were none".to_owned(),
    ];
    unknown.extend(terms.unknown.iter().cloned());
    unknown
}

/// The deliveries of the time that is asked about.
struct Window<'a> {
    history: &'a mut dyn History,
    from: Option<Moment>,
    until: Option<Moment>,
}

impl Window<'_> {
    async fn next(&mut self) -> Result<Option<Heard>, HistoryError> {
        loop {
            let Some(heard) = self.history.next().await? else { return Ok(None) };
            if self.until.is_some_and(|until| heard.at > until) {
                return Ok(None);
            }
            if self.from.is_none_or(|from| heard.at >= from) {
                return Ok(Some(heard));
            }
        }
    }
}

/// What one book would have done.
///
/// # Errors
/// When the history cannot be read, or the engine breaks its own laws.
pub async fn backtest(
    history: &mut dyn History,
    facts: &dyn Facts,
    source: Source,
    terms: &Terms,
) -> Result<Report, HistoryError> {
    let mut window = Window { history, from: terms.from, until: terms.until };
    let mut next = window.next().await?;
    let from = start(terms, next.as_ref());
    let mut replay = Replay::new(source, from, terms, false);
    let mut last = from;
    while let Some(heard) = next {
        last = last.max(heard.at);
        replay.hear(heard, facts).await?;
        next = window.next().await?;
    }
    replay.finish(terms.until.unwrap_or(last), unknown(terms), facts).await
}

/// What another book would have done otherwise.
///
/// # Errors
/// As [`backtest`].
pub async fn plan(
    history: &mut dyn History,
    facts: &dyn Facts,
    (old, new): (Source, Source),
    terms: &Terms,
) -> Result<Plan, HistoryError> {
    let mut window = Window { history, from: terms.from, until: terms.until };
    let mut next = window.next().await?;
    let from = start(terms, next.as_ref());
    let mut old = Replay::new(old, from, terms, true);
    let mut new = Replay::new(new, from, terms, true);
    let (mut differences, mut last) = (Differences::default(), from);
    while let Some(heard) = next {
        last = last.max(heard.at);
        old.hear(heard.clone(), facts).await?;
        new.hear(heard, facts).await?;
        differences.see(last, old.tally.take_acted(), new.tally.take_acted());
        next = window.next().await?;
    }
    let until = terms.until.unwrap_or(last);
    old.pass(until, facts).await?;
    new.pass(until, facts).await?;
    differences.see(until, old.tally.take_acted(), new.tally.take_acted());
    let old = old.finish(until, Vec::new(), facts).await?;
    let new = new.finish(until, unknown(terms), facts).await?;
    Ok(differences.plan(&old, new))
}

fn start(terms: &Terms, first: Option<&Heard>) -> Moment {
    terms.from.or(first.map(|heard| heard.at)).or(terms.until).unwrap_or_default()
}
