//! `decide` is total: whatever comes, at whatever time, in whatever state, it answers; `apply` takes what it answered;
//! and the state can be stored and read after it. What comes is hostile here: wrong ids, wrong kinds of answers, numbers
//! that are none, times before all times, labels of any text, books that do not load.

use paramedic_policies::action::{Action, Outcome};
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::answer::{Answer, Found, Number, Preflight, Sample, Surroundings};
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::event::{Seq, Unreadable};
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::notifications::Receipt;
use paramedic_policies::order::{Command, Order, Past, PauseScope};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::{restart, scale};
use paramedic_policies::settings::Settings;
use paramedic_policies::state::State;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use paramedic_policies::{apply, decide, wake};
use proptest::prelude::*;

use crate::draft::{NAMES, draft};
use crate::life::{Held, Life, law};
use crate::turns::{Turn, history};

/// What nobody should send.
#[derive(Debug, Clone)]
enum Hostile {
    Alerts(Vec<(Labels, i64, bool)>, u64),
    Told(u8, i64, Found),
    Ended(u8, Outcome),
    Delivered(u64, bool),
    Approve(u8, bool),
    Acknowledge(u64),
    Pause(String, Option<i64>),
    Run(String, Labels),
    Undo(u8, Option<Outcome>),
    Adopt(String, Box<Settings>),
    Reign(bool, u64),
    Clock(i64),
    Wake,
}

/// Times at the ends of time, and some that are only wrong.
fn times() -> impl Strategy<Value = i64> {
    prop_oneof![
        prop::sample::select(vec![i64::MIN, -1, 0, 1, i64::MAX, 253_402_300_799_999, 253_402_300_800_000]),
        any::<i64>(),
        1_799_990_000_000..1_800_100_000_000_i64,
    ]
}

fn text() -> impl Strategy<Value = String> {
    let known = [
        "",
        "Errors",
        "Slow",
        "prod",
        "web",
        "kube-system",
        "p0",
        "{{ labels.x }}",
        "a\"b\\c\n",
        "\u{0}",
        "..",
        "/",
    ];
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), ".{0,12}"]
}

fn labels() -> impl Strategy<Value = Labels> {
    let name = prop_oneof![
        4 => prop::sample::select(vec!["namespace", "deployment", "pod", "severity", "cluster"]).prop_map(str::to_owned),
        1 => text(),
    ];
    let rest = prop::collection::btree_map(name, text(), 0..5);
    (prop::sample::select(NAMES.to_vec()), rest).prop_map(|(alert, mut labels)| {
        labels.insert("alertname".to_owned(), alert.to_owned());
        labels
    })
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::sample::select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            f64::MAX,
            f64::MIN_POSITIVE
        ]),
        any::<f64>(),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        any::<i64>().prop_map(|generation| Action::Restart(restart::Action { generation })),
        (any::<u32>(), any::<u32>(), any::<Option<u32>>()).prop_map(|(from, to, wanted)| {
            Action::Scale(scale::Action { lever: scale::Lever::Replicas, from, to, wanted, set_by: None })
        }),
    ]
}

fn found() -> impl Strategy<Value = Found> {
    let sample = (labels(), number()).prop_map(|(labels, value)| Sample { labels, value: Number(value) });
    let target =
        (text(), text(), text()).prop_map(|(kind, namespace, name)| Target { kind, namespace, name });
    let around = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>()).prop_map(
        |(desired, unavailable, added, workloads)| Surroundings { desired, unavailable, added, workloads },
    );
    let look = (
        text(),
        prop::option::of(action()),
        any::<bool>(),
        any::<bool>(),
        labels(),
        prop::option::of(around),
    );
    let look = look.prop_map(|(uid, action, already, refuses, labels, surroundings)| Preflight {
        uid,
        action,
        already,
        refusals: if refuses { vec![Reason::NotLeading] } else { Vec::new() },
        passed: Vec::new(),
        labels,
        beside: Default::default(),
        surroundings,
        diff: None,
    });
    prop_oneof![
        3 => prop::collection::vec(sample, 0..4).prop_map(Found::Series),
        1 => target.prop_map(Found::Target),
        3 => look.prop_map(|look| Found::Preflight(Box::new(look))),
        1 => (any::<bool>(), text()).prop_map(|(complete, detail)| Found::Rollout { complete, detail }),
        1 => any::<u16>().prop_map(|status| Found::Http { status }),
        1 => text().prop_map(|what| Found::Absent { what }),
        1 => text().prop_map(|what| Found::Failed { what }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        any::<bool>().prop_map(|already| Outcome::Done { diff: None, already }),
        Just(Outcome::Refused { reasons: Vec::new() }),
        (text(), any::<bool>()).prop_map(|(what, applied)| Outcome::Failed { what, applied, diff: None }),
        text().prop_map(|what| Outcome::Unknown { what }),
    ]
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let alerts = prop::collection::vec((labels(), times(), prop::bool::weighted(0.8)), 0..4);
    let span = any::<u64>().prop_map(Span::from_ms);
    let settings = (span, any::<u32>()).prop_map(|(span, number)| {
        let mut settings = Settings::default();
        settings.facts.retry = span;
        settings.facts.max_age = span;
        settings.episodes.expiry = span;
        settings.guards.pace.every = span;
        settings.guards.pace.burst = number;
        settings.guards.storm.calm = span;
        settings.guards.storm.alerts_per_minute = number;
        settings.guards.stuck_after = span;
        settings
    });
    prop_oneof![
        6 => (alerts, any::<u64>()).prop_map(|(alerts, truncated)| Hostile::Alerts(alerts, truncated)),
        8 => (any::<u8>(), times(), found()).prop_map(|(which, at, found)| Hostile::Told(which, at, found)),
        4 => (any::<u8>(), outcome()).prop_map(|(which, outcome)| Hostile::Ended(which, outcome)),
        1 => (any::<u64>(), any::<bool>()).prop_map(|(notice, taken)| Hostile::Delivered(notice, taken)),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(which, yes)| Hostile::Approve(which, yes)),
        1 => any::<u64>().prop_map(Hostile::Acknowledge),
        2 => (text(), prop::option::of(times())).prop_map(|(what, until)| Hostile::Pause(what, until)),
        2 => (text(), labels()).prop_map(|(policy, labels)| Hostile::Run(policy, labels)),
        2 => (any::<u8>(), prop::option::of(outcome())).prop_map(|(which, ended)| Hostile::Undo(which, ended)),
        1 => (text(), settings).prop_map(|(text, settings)| Hostile::Adopt(text, Box::new(settings))),
        1 => (any::<bool>(), any::<u64>()).prop_map(|(leader, epoch)| Hostile::Reign(leader, epoch)),
        1 => times().prop_map(Hostile::Clock),
        6 => Just(Hostile::Wake),
    ]
}

/// One of the ids that there are, or one that there is not.
fn one_of(which: u8, ids: impl Iterator<Item = Seq>) -> Seq {
    let ids: Vec<Seq> = ids.collect();
    ids.get(usize::from(which) % (ids.len() + 1)).copied().unwrap_or(Seq(u64::MAX - u64::from(which)))
}

fn input(state: &State, hostile: &Hostile) -> Input {
    let at = Moment::from_unix_ms;
    let order = |command| Input::Order(Order { by: String::new(), command });
    match hostile.clone() {
        Hostile::Alerts(alerts, truncated) => Input::Alerts(Delivery {
            sender: String::new(),
            receiver: "\u{0}".to_owned(),
            group_key: String::new(),
            correlation: String::new(),
            alerts: alerts.into_iter().map(|(labels, when, fires)| alert(labels, at(when), fires)).collect(),
            unreadable: vec![Unreadable {
                index: Some(u32::MAX),
                problem: String::new(),
                count: Some(u32::MAX),
            }],
            truncated,
        }),
        Hostile::Told(which, when, found) => {
            let question = one_of(which, state.questions.keys().copied());
            Input::Told(Answer { question, taken_at: at(when), found })
        }
        Hostile::Ended(which, outcome) => {
            Input::Ended { intent: one_of(which, state.in_flight.keys().copied()), outcome }
        }
        Hostile::Delivered(notice, true) => {
            Input::Delivered { notice: Seq(notice), receipt: Receipt::Taken { said: String::new() } }
        }
        Hostile::Delivered(notice, false) => {
            let receipt = Receipt::Failed { what: String::new(), passing: true };
            Input::Delivered { notice: Seq(notice), receipt }
        }
        Hostile::Approve(which, yes) => {
            let proposal = one_of(which, state.proposals.keys().copied());
            let comment = String::new();
            order(if yes {
                Command::Approve { proposal, comment }
            } else {
                Command::Deny { proposal, comment }
            })
        }
        Hostile::Acknowledge(page) => order(Command::Acknowledge { page: Seq(page), comment: String::new() }),
        Hostile::Pause(what, until) => {
            let scope = PauseScope::Namespace(what);
            order(Command::Pause { scope, until: until.map(at), reason: String::new() })
        }
        Hostile::Run(policy, labels) => {
            order(Command::Run { policy, labels, reason: String::new(), dry_run: false, key: String::new() })
        }
        Hostile::Undo(which, outcome) => {
            let intents = state.leases.values().map(|lease| &lease.intent);
            let intents: Vec<_> =
                intents.chain(state.in_flight.values().map(|flight| &flight.intent)).collect();
            let some = intents.get(usize::from(which) % (intents.len() + 1)).copied();
            let past = some.map(|intent| {
                Box::new(Past { intent: intent.clone(), outcome, taken_back: None, into: Some(Seq(0)) })
            });
            let intent = some.map_or(Seq(u64::from(which)), |intent| intent.id);
            order(Command::Undo { intent, only: Vec::new(), reason: String::new(), past })
        }
        Hostile::Adopt(text, settings) => {
            let files = vec![SourceFile { path: text.clone(), text }];
            Input::Adopt(Box::new(Source { files, settings: *settings, tzdb: String::new() }))
        }
        Hostile::Reign(leader, epoch) => Input::Reign { leader, epoch },
        Hostile::Clock(by_ms) => Input::ClockStepped { by_ms },
        Hostile::Wake => Input::Wake,
    }
}

fn alert(labels: Labels, when: Moment, fires: bool) -> Alert {
    Alert {
        status: if fires { AlertStatus::Firing } else { AlertStatus::Resolved },
        annotations: labels.clone(),
        labels,
        starts_at: when,
        ends_at: (!fires).then_some(when),
        fingerprint: Some(String::new()),
    }
}

/// Whatever it answers, it answers.
fn answers(state: &State, inputs: &[Input], times: &[Moment]) {
    for input in inputs {
        for now in times {
            decide(state, &state.current_book(), *now, input);
        }
    }
    let _ = wake(state);
}

#[test]
fn decide_is_total() {
    let ends = [i64::MIN, 0, i64::MAX].map(Moment::from_unix_ms);
    let blows = prop::collection::vec((hostile(), prop_oneof![6 => 0..600_i64, 1 => times()]), 1..20);
    law(64, (draft(2), history(20), blows, history(6)), |(book, turns, blows, rest)| {
        let mut life = Life::new(&[&book])?;
        life.live(&turns.0, &mut |decision| {
            answers(decision.state, std::slice::from_ref(decision.input), &ends);
            Ok(())
        })?;
        for (blow, later) in &blows {
            let input = input(&life.state, blow);
            answers(&life.state, &[input.clone(), Input::Wake], &ends);
            life.now = if *later < 600 && *later >= 0 {
                life.now + Span::from_secs(later.unsigned_abs())
            } else {
                Moment::from_unix_ms(*later).max(life.now)
            };
            strike(&mut life, &input);
        }
        // And what is usual is still taken after all that.
        for turn in rest.0.iter().filter(|turn| !matches!(turn, Turn::Pass(_))) {
            let _ = life.live(std::slice::from_ref(turn), &mut |_| Ok(()));
        }
        survives(&life.state)
    });
}

/// The input and a few wake-ups: whether it comes to rest under settings of such lengths is no question here.
fn strike(life: &mut Life, input: &Input) {
    let mut inputs = vec![input.clone()];
    inputs.extend(std::iter::repeat_n(Input::Wake, 20));
    for input in &inputs {
        for event in decide(&life.state, &life.state.current_book(), life.now, input) {
            apply(&mut life.state, life.now, &event);
            life.records.push((life.now, event));
        }
    }
}

fn survives(state: &State) -> Held {
    let text = serde_json::to_string(state).expect("a state is plain data");
    let read = serde_json::from_str::<State>(&text);
    prop_assert!(read.is_ok(), "a state that is not read back: {:?}", read.err());
    Ok(())
}
