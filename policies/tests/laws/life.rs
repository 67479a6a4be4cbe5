//! A life under generated books: turns become inputs, inputs events, events the state, and whoever states a law sees
//! every single decision. Nothing here judges, but for that the engine comes to rest.

use paramedic_policies::answer::Answer;
use paramedic_policies::book::{Book, Source};
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::order::{Command, Order, PauseScope};
use paramedic_policies::question::Question;
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_policies::{apply, decide, wake};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRng, TestRunner};

use crate::draft::Draft;
use crate::turns::{How, Turn, Wanted};
use crate::world::{World, alert, outcome};

/// Whether a law held.
pub(crate) type Held = Result<(), TestCaseError>;

/// 2027-01-15, a Friday, at 08:00 UTC.
pub(crate) const BIRTH: Moment = Moment::from_unix_ms(1_800_000_000_000);

/// One decision, before it is applied.
pub(crate) struct Decision<'a> {
    pub(crate) state: &'a State,
    pub(crate) now: Moment,
    pub(crate) input: &'a Input,
    pub(crate) events: &'a [Event],
}

/// The life so far.
pub(crate) struct Life {
    pub(crate) state: State,
    pub(crate) now: Moment,
    pub(crate) records: Vec<(Moment, Event)>,
    pub(crate) world: World,
    books: Vec<Source>,
}

/// Tries a law on so many generated cases, the same ones each time; or on as many as `PROPTEST_CASES` says, other ones
/// each time. Says the smallest that breaks it.
pub(crate) fn law<S: Strategy>(cases: u32, of: S, holds: impl Fn(S::Value) -> Held) {
    if let Err(broken) = tried(cases, 4_000, of, holds) {
        panic!("{broken}");
    }
}

/// Tries a law on something that breaks it, which must be found: a law that cannot fail says nothing. Says why it broke.
#[track_caller]
pub(crate) fn breach<S: Strategy>(cases: u32, of: S, holds: impl Fn(S::Value) -> Held) -> String {
    match tried(cases, 0, of, holds) {
        Err(TestError::Fail(why, _)) => why.to_string(),
        Err(TestError::Abort(why)) => panic!("nothing was tried: {why}"),
        Ok(()) => panic!("the breach was not found"),
    }
}

fn tried<S: Strategy>(
    cases: u32,
    shrinks: u32,
    of: S,
    holds: impl Fn(S::Value) -> Held,
) -> Result<(), TestError<S::Value>> {
    let usual = Config { failure_persistence: None, max_shrink_iters: shrinks, ..Config::default() };
    let mut runner = if std::env::var_os("PROPTEST_CASES").is_some() {
        TestRunner::new(usual)
    } else {
        let always = TestRng::deterministic_rng(usual.rng_algorithm);
        TestRunner::new_with_rng(Config { cases, ..usual }, always)
    };
    runner.run(&of, holds)
}

/// Loads what was drafted.
pub(crate) fn loaded(source: &Source) -> Result<Book, TestCaseError> {
    paramedic_policies::load::book(source.clone()).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        TestCaseError::fail(format!("the draft does not load: {}", problems.join("\n")))
    })
}

impl Life {
    /// A leader under the first of these books.
    pub(crate) fn new(books: &[&Draft]) -> Result<Self, TestCaseError> {
        let books: Vec<Source> = books.iter().map(|draft| draft.source()).collect();
        for book in &books {
            loaded(book)?;
        }
        let first = Input::Adopt(Box::new(books[0].clone()));
        let mut life =
            Self { state: State::new(), now: BIRTH, records: Vec::new(), world: World::default(), books };
        let unseen = &mut |_: &Decision<'_>| Ok(());
        life.feed(&Input::Began { version: "test".to_owned() }, unseen)?;
        life.feed(&first, unseen)?;
        life.feed(&Input::Reign { leader: true, epoch: 1 }, unseen)?;
        Ok(life)
    }

    /// All that happens, with somebody who looks at each decision.
    pub(crate) fn live(&mut self, turns: &[Turn], seen: &mut dyn FnMut(&Decision<'_>) -> Held) -> Held {
        turns.iter().try_for_each(|turn| self.take(turn, seen))
    }

    /// One input, and all that is due by now.
    pub(crate) fn feed(&mut self, input: &Input, seen: &mut dyn FnMut(&Decision<'_>) -> Held) -> Held {
        self.step(input, seen)?;
        for _ in 0..2_000 {
            if wake(&self.state).is_none_or(|due| due > self.now) {
                return Ok(());
            }
            self.step(&Input::Wake, seen)?;
        }
        Err(TestCaseError::fail(format!("it does not come to rest: {:?}", self.state.agenda.first())))
    }

    fn step(&mut self, input: &Input, seen: &mut dyn FnMut(&Decision<'_>) -> Held) -> Held {
        let book = self.state.current_book();
        let events = decide(&self.state, &book, self.now, input);
        seen(&Decision { state: &self.state, now: self.now, input, events: &events })?;
        for event in events {
            apply(&mut self.state, self.now, &event);
            self.records.push((self.now, event));
        }
        Ok(())
    }

    /// Lets time pass, with every wake-up on the way.
    pub(crate) fn pass(&mut self, span: Span, seen: &mut dyn FnMut(&Decision<'_>) -> Held) -> Held {
        let end = self.now + span;
        while let Some(due) = wake(&self.state).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.feed(&Input::Wake, seen)?;
        }
        self.now = end;
        self.feed(&Input::Wake, seen)
    }

    /// The answer to a question.
    pub(crate) fn answer(&self, question: &Question, how: How) -> Input {
        let taken_at = if how == How::Stale { self.now - Span::from_hours(1) } else { self.now };
        let found = self.world.found(question, how);
        Input::Told(Answer { question: question.id, taken_at, found })
    }

    /// The end of an effect.
    pub(crate) fn end(&mut self, intent: Seq, how: crate::turns::Ending) -> Option<Input> {
        let flight = self.state.in_flight.get(&intent)?;
        let outcome = outcome(&flight.intent.action, how);
        if flight.intent.mode != paramedic_policies::action::Mode::DryRun {
            self.world.done(&flight.intent.target, &flight.intent.action, &outcome);
        }
        Some(Input::Ended { intent, outcome })
    }

    fn take(&mut self, turn: &Turn, seen: &mut dyn FnMut(&Decision<'_>) -> Held) -> Held {
        match turn {
            Turn::Settle { how, ending } => return self.settle(*how, *ending, seen),
            Turn::Pass(seconds) => return self.pass(Span::from_secs(u64::from(*seconds)), seen),
            Turn::Restart => return self.restart(seen),
            Turn::Clock(by_ms) => self.now = self.now + Span::from_ms(u64::try_from(*by_ms).unwrap_or(0)),
            Turn::Alerts { .. }
            | Turn::Answer { .. }
            | Turn::End { .. }
            | Turn::Order { .. }
            | Turn::Adopt(_)
            | Turn::Reign(_) => {}
        }
        self.input(turn).map_or(Ok(()), |input| self.feed(&input, seen))
    }

    fn input(&mut self, turn: &Turn) -> Option<Input> {
        let pick = |which: u8, of: usize| usize::from(which) % of.max(1);
        Some(match turn {
            Turn::Alerts { which, truncated } => {
                let alerts = which.iter().map(|(which, fires)| alert(*which, self.now, *fires)).collect();
                delivery(alerts, u64::from(*truncated))
            }
            Turn::Answer { which, how } => {
                let questions = &self.state.questions;
                self.answer(questions.values().nth(pick(*which, questions.len()))?, *how)
            }
            Turn::End { which, how } => {
                let intents = &self.state.in_flight;
                let intent = *intents.keys().nth(pick(*which, intents.len()))?;
                self.end(intent, *how)?
            }
            Turn::Order { what, which } => {
                Input::Order(Order { by: "ada".to_owned(), command: self.command(*what, *which)? })
            }
            Turn::Adopt(which) => Input::Adopt(Box::new(self.books[pick(*which, self.books.len())].clone())),
            Turn::Reign(leader) => {
                Input::Reign { leader: *leader, epoch: self.state.epoch + u64::from(*leader) }
            }
            Turn::Clock(by_ms) => Input::ClockStepped { by_ms: *by_ms },
            Turn::Settle { .. } | Turn::Pass(_) | Turn::Restart => Input::Wake,
        })
    }

    /// Until nothing is open; the newest question first, as answers come in any order.
    fn settle(
        &mut self,
        how: How,
        ending: crate::turns::Ending,
        seen: &mut dyn FnMut(&Decision<'_>) -> Held,
    ) -> Held {
        for _ in 0..60 {
            let input = match self.state.questions.values().next_back() {
                Some(question) => Some(self.answer(question, how)),
                None => {
                    let intent = self.state.in_flight.keys().next().copied();
                    intent.and_then(|intent| self.end(intent, ending))
                }
            };
            let Some(input) = input else { break };
            self.feed(&input, seen)?;
        }
        Ok(())
    }

    /// The process is killed and another one folds the records, as they were written.
    fn restart(&mut self, seen: &mut dyn FnMut(&Decision<'_>) -> Held) -> Held {
        let mut folded = State::new();
        self.records.iter().for_each(|(at, event)| apply(&mut folded, *at, event));
        self.state = folded;
        self.feed(&Input::Began { version: "test".to_owned() }, seen)?;
        self.feed(&Input::Reign { leader: true, epoch: self.state.epoch + 1 }, seen)
    }

    fn command(&self, what: Wanted, which: u8) -> Option<Command> {
        let proposals = &self.state.proposals;
        let proposal = || proposals.keys().nth(usize::from(which) % proposals.len().max(1)).copied();
        let scope = match which % 4 {
            0 => PauseScope::Everything,
            1 => PauseScope::Namespace("prod".to_owned()),
            _ => PauseScope::Policy("p0".to_owned()),
        };
        let (comment, reason) = (String::new(), String::new());
        let run = |dry_run| {
            let key = format!("key-{which}");
            let labels = alert(which % 12, self.now, true).labels;
            Command::Run { policy: "p0".to_owned(), labels, reason: String::new(), dry_run, key }
        };
        Some(match what {
            Wanted::Approve => Command::Approve { proposal: proposal()?, comment },
            Wanted::Deny => Command::Deny { proposal: proposal()?, comment },
            Wanted::Pause => Command::Pause { scope, until: None, reason },
            Wanted::PauseForAWhile => Command::Pause {
                scope,
                until: Some(self.now + Span::from_mins(u64::from(which) + 1)),
                reason,
            },
            Wanted::Resume => {
                Command::Resume { scope: self.state.pauses.keys().next().cloned().unwrap_or(scope) }
            }
            Wanted::AcceptClock => Command::AcceptClock,
            Wanted::Run => run(false),
            Wanted::RehearseByHand => run(true),
            Wanted::Undo => {
                let intent = *self.state.leases.keys().next()?;
                Command::Undo { intent, only: Vec::new(), reason, past: None }
            }
        })
    }
}

/// Alerts as a delivery.
pub(crate) fn delivery(alerts: Vec<paramedic_policies::alert::Alert>, truncated: u64) -> Input {
    Input::Alerts(Delivery {
        sender: "am".to_owned(),
        receiver: String::new(),
        group_key: String::new(),
        correlation: "c".to_owned(),
        alerts,
        unreadable: Vec::new(),
        truncated,
    })
}
