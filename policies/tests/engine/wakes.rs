//! Whatever comes in, in whatever order: a wake-up that is due does something, the engine comes to rest, what is derived
//! is true, and the fold of the records is the state.

use proptest::prelude::*;

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::answer::{Answer, Found, Number, Preflight, Sample};
use paramedic_policies::event::Event;
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::order::{Command, Order, PauseScope};
use paramedic_policies::question::Ask;
use paramedic_policies::reason::Reason;
use paramedic_policies::settings::Settings;
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_policies::{apply, decide, wake};

use crate::story::{RESTART_THEN_SCALE, Story, alert, labels, resolved, settings, source, value};

/// One thing that happens; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Turn {
    Alerts(Vec<(u8, bool)>, u8),
    /// One question is answered in some way.
    Answer(u8, u8),
    End(u8),
    /// All questions are answered as one would wish, and effects end in some way.
    Well(u8),
    Order(u8, u8),
    Adopt(u8),
    Reign(bool),
    Began,
    Clock(i64),
    Pass(u8),
}

fn turn() -> impl Strategy<Value = Turn> {
    let alerts = prop::collection::vec((0..6_u8, prop::bool::weighted(0.8)), 0..4);
    let steps = prop_oneof![Just(90_000), Just(86_400_000), Just(-90_000), Just(-7_200_000)];
    prop_oneof![
        8 => (alerts, 0..40_u8).prop_map(|(alerts, truncated)| Turn::Alerts(alerts, truncated)),
        16 => (any::<u8>(), 0..24_u8).prop_map(|(which, how)| Turn::Answer(which, how)),
        6 => (0..12_u8).prop_map(Turn::End),
        16 => (0..20_u8).prop_map(Turn::Well),
        5 => (0..10_u8, any::<u8>()).prop_map(|(what, which)| Turn::Order(what, which)),
        1 => (0..4_u8).prop_map(Turn::Adopt),
        1 => prop::bool::weighted(0.8).prop_map(Turn::Reign),
        1 => Just(Turn::Began),
        1 => steps.prop_map(Turn::Clock),
        12 => prop_oneof![8 => 0..6_u8, 1 => 6..9_u8].prop_map(Turn::Pass),
    ]
}

/// Books that differ in all that changes the way of a case.
fn books() -> Vec<(Vec<String>, Settings)> {
    let hasty = RESTART_THEN_SCALE
        .replace("settle: 1m, hold: 1m, within: 10m", "settle: 0s, hold: 0s, within: 1m")
        .replace("revert: {after: 1h}", "revert: {after: 1m}")
        .replace(
            "onFailure: {notify: [sre]}",
            "guards: {cooldown: 0s, relapse: 30m, limits: [], concurrency: 9}\n  onFailure: {notify: [sre], quarantineAfter: 1}",
        );
    let careful = RESTART_THEN_SCALE
        .replace("name: errors", "name: careful")
        .replace(
            "mode: enforce",
            "mode: approve\n  priority: 5\n  for: 30s\n  unless: ['alertname=\"Noise\"']",
        )
        .replace(
            "  ladder:\n",
            "  let: {zone: {query: 'up', label: zone}}\n  when: [{query: 'up', is: \"> 0\"}]\n  ladder:\n",
        )
        .replace("guards:", "guards: {inStorm: approve}\n  was:");
    let gradual = RESTART_THEN_SCALE.replace("name: errors", "name: owned").replace(
        "{kind: Deployment, namespace: \"{{ labels.namespace }}\", name: \"{{ labels.deployment }}\"}",
        "{from: {pod: \"{{ labels.deployment }}\", namespace: \"{{ labels.namespace }}\"}}",
    );
    let mut stormy = settings();
    stormy.guards.storm.alerts_per_minute = 2;
    stormy.guards.storm.targets_known_min = 1;
    vec![
        (vec![RESTART_THEN_SCALE.to_owned(), careful.clone()], settings()),
        (vec![hasty.clone(), careful, gradual], Settings { mode: Mode::Approve, ..settings() }),
        (vec![hasty], stormy),
        (Vec::new(), Settings { mode: Mode::DryRun, ..settings() }),
    ]
}

struct Wild {
    state: State,
    now: Moment,
    records: Vec<(Moment, Event)>,
}

impl Wild {
    fn feed(&mut self, input: &Input) {
        self.step(input);
        for _ in 0..2_000 {
            match wake(&self.state) {
                Some(due) if due <= self.now => {
                    let duty = self.state.agenda.first().cloned();
                    let events = self.step(&Input::Wake);
                    assert!(events > 0, "nothing follows from {duty:?}");
                }
                Some(_) | None => return self.check(),
            }
        }
        panic!("it does not come to rest: {:?}", self.state.agenda.first());
    }

    fn step(&mut self, input: &Input) -> usize {
        let book = self.state.current_book();
        let events = decide(&self.state, &book, self.now, input);
        let count = events.len();
        for event in events {
            apply(&mut self.state, self.now, &event);
            self.records.push((self.now, event));
        }
        count
    }

    fn check(&self) {
        let mut anew = self.state.clone();
        anew.reindex();
        assert_eq!(anew.indexes, self.state.indexes, "the indexes are true");
    }

    fn input(&mut self, turn: &Turn) -> Option<Input> {
        Some(match turn {
            Turn::Alerts(alerts, truncated) => Input::Alerts(Delivery {
                sender: "am".to_owned(),
                receiver: String::new(),
                group_key: String::new(),
                correlation: "c".to_owned(),
                alerts: alerts.iter().map(|(which, fires)| self.alert(*which, *fires)).collect(),
                unreadable: Vec::new(),
                truncated: u64::from(*truncated == 0),
            }),
            Turn::Answer(which, how) => {
                let questions = &self.state.questions;
                let question = questions.values().nth(usize::from(*which) % questions.len().max(1))?;
                let taken_at = if *how == 0 { Moment::from_unix_ms(0) } else { self.now };
                let found = self.found(&question.ask, *how);
                Input::Told(Answer { question: question.id, taken_at, found })
            }
            Turn::End(how) => {
                let intent = *self.state.in_flight.keys().next()?;
                Input::Ended { intent, outcome: outcome(*how) }
            }
            Turn::Well(how) => {
                for _ in 0..50 {
                    let question = self.state.questions.values().next().cloned();
                    let input = match (question, self.state.in_flight.keys().next()) {
                        (Some(question), _) => {
                            let found = self.found(&question.ask, 10 + *how);
                            Input::Told(Answer { question: question.id, taken_at: self.now, found })
                        }
                        (None, Some(intent)) => Input::Ended { intent: *intent, outcome: outcome(*how) },
                        (None, None) => break,
                    };
                    self.feed(&input);
                }
                Input::Wake
            }
            Turn::Order(what, which) => {
                Input::Order(Order { by: "ada".to_owned(), command: self.command(*what, *which)? })
            }
            Turn::Adopt(which) => {
                let (policies, settings) = books().swap_remove(usize::from(*which));
                let texts: Vec<&str> = policies.iter().map(String::as_str).collect();
                let source = source(&texts, &settings);
                let problems = paramedic_policies::load::book(source.clone()).err().unwrap_or_default();
                assert!(problems.is_empty(), "{}", problems[0]);
                Input::Adopt(Box::new(source))
            }
            Turn::Reign(leader) => {
                Input::Reign { leader: *leader, epoch: self.state.epoch + u64::from(*leader) }
            }
            Turn::Began => Input::Began { version: "test".to_owned() },
            Turn::Clock(by_ms) => {
                self.now = self.now + Span::from_ms(u64::try_from(*by_ms).unwrap_or(0));
                Input::ClockStepped { by_ms: *by_ms }
            }
            Turn::Pass(length) => {
                let lengths = ["0s", "1ms", "1s", "15s", "1m", "10m", "1h", "3h", "8h"];
                let end = self.now + lengths[usize::from(*length)].parse().expect("a span");
                while let Some(due) = wake(&self.state).filter(|due| *due <= end) {
                    self.now = self.now.max(due);
                    self.feed(&Input::Wake);
                }
                self.now = end;
                Input::Wake
            }
        })
    }

    fn alert(&self, which: u8, fires: bool) -> paramedic_policies::alert::Alert {
        let names = ["Errors", "Errors", "Errors", "Errors", "Noise", "Errors"];
        let targets = ["prod/web", "prod/web", "prod/api", "prod/db", "prod/web", "kube-system/dns"];
        let mut one = alert(names[usize::from(which)], targets[usize::from(which)]);
        one.labels.insert("pod".to_owned(), which.to_string());
        one.starts_at = self.now;
        if fires { one } else { resolved(one, self.now) }
    }

    fn found(&self, ask: &Ask, how: u8) -> Found {
        match (how, ask) {
            (1, _) => Found::Failed { what: "timeout".to_owned() },
            (2, _) => Found::Absent { what: "object".to_owned() },
            (3, _) => Found::Http { status: 500 },
            (4, Ask::Query { .. }) => value(f64::NAN),
            (5, Ask::Query { .. }) => Found::Series(Vec::new()),
            (_, Ask::Query { promql }) if promql.contains("errors") => value(f64::from(how % 2)),
            (6..=9, Ask::Query { .. }) => value(0.0),
            (_, Ask::Query { .. }) => {
                Found::Series(vec![Sample { labels: labels(&[("zone", "eu-1a")]), value: Number(1.0) }])
            }
            (_, Ask::Seek { .. }) => Found::Target(paramedic_policies::target::Target {
                kind: "Deployment".to_owned(),
                namespace: "prod".to_owned(),
                name: "web".to_owned(),
            }),
            (_, Ask::Preflight { wish, .. }) => Found::Preflight(Box::new(self.preflight(wish, how))),
            (_, Ask::Rollout { .. }) => {
                Found::Rollout { complete: how.is_multiple_of(2), detail: "some".to_owned() }
            }
            (_, Ask::Http { .. }) => Found::Http { status: 200 },
        }
    }

    fn preflight(&self, wish: &paramedic_policies::action::Wish, how: u8) -> Preflight {
        let story = Story::new(&[]);
        let mut preflight = story.preflight(wish);
        match how {
            4 => (preflight.action, preflight.already) = (None, true),
            5 => preflight.refusals = vec![Reason::WorkloadPaused],
            6 => (preflight.action, preflight.already) = (None, false),
            7 => preflight.uid = "another".to_owned(),
            _ => {}
        }
        preflight
    }

    fn command(&self, what: u8, which: u8) -> Option<Command> {
        let proposals = &self.state.proposals;
        let proposal = || proposals.keys().nth(usize::from(which) % proposals.len().max(1)).copied();
        let scope = || match which % 3 {
            0 => PauseScope::Everything,
            1 => PauseScope::Namespace("prod".to_owned()),
            _ => PauseScope::Policy("errors".to_owned()),
        };
        Some(match what {
            0..=3 => Command::Approve { proposal: proposal()?, comment: String::new() },
            4 => Command::Deny { proposal: proposal()?, comment: String::new() },
            5 => {
                let until = which.is_multiple_of(2).then(|| self.now + Span::from_mins(u64::from(which)));
                Command::Pause { scope: scope(), until, reason: String::new() }
            }
            6 | 7 => Command::Resume { scope: scope() },
            _ => Command::AcceptClock,
        })
    }
}

fn outcome(how: u8) -> Outcome {
    let what = "so it is".to_owned();
    match how {
        0 => Outcome::Failed { what, applied: false, diff: None },
        1 => Outcome::Failed { what, applied: true, diff: None },
        2 => Outcome::Unknown { what },
        3 => Outcome::Refused { reasons: vec![Reason::WorkloadPaused] },
        4 => Outcome::Done { diff: None, already: true },
        _ => Outcome::Done { diff: None, already: false },
    }
}

fn written(state: &State) -> String {
    serde_json::to_string(state).expect("a state is plain data")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_due_wake_up_does_something_and_the_engine_comes_to_rest(
        first in 0..3_u8,
        turns in prop::collection::vec(turn(), 1..80),
    ) {
        let now = Moment::from_unix_ms(1_800_000_000_000);
        let mut wild = Wild { state: State::new(), now, records: Vec::new() };
        for turn in [Turn::Began, Turn::Adopt(first), Turn::Reign(true)].iter().chain(&turns) {
            if let Some(input) = wild.input(turn) {
                wild.feed(&input);
            }
        }
        let mut folded = State::new();
        wild.records.iter().for_each(|(at, event)| apply(&mut folded, *at, event));
        let text = written(&wild.state);
        prop_assert_eq!(&written(&folded), &text);
        let read: State = serde_json::from_str(&text).expect("a stored state loads");
        prop_assert_eq!(&written(&read), &text);
        prop_assert_eq!(&read.indexes, &folded.indexes);
    }
}
