//! What one alert costs in a storm: all on one Deployment, under one policy, under two that want the same target, and
//! with `unless:`. `cargo bench -p paramedic-policies --bench storm`
//!
//! The last lines compare sizes within the run: an alert among many should cost what one among few costs. Under
//! `cargo test --bench storm` only that comparison is made, with small sizes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use paramedic_policies::action::Mode;
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::settings::Settings;
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use paramedic_policies::{apply, decide, wake};

const ONE: &str = r#"---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: NAME}
spec:
  mode: enforce
  match: ['alertname="Errors"']
  target: {kind: Deployment, namespace: prod, name: web}
  ladder: [{restart: {}, verify: {rollout: complete}}]
"#;

/// The policies of each kind of storm.
fn kinds() -> [(&'static str, String); 3] {
    let one = |name: &str| ONE.replace("NAME", name);
    let unless = "mode: enforce\n  unless: ['alertname=\"Errors\"', 'pod=\"none\"']";
    [
        ("one_policy", one("a")),
        ("two_policies", one("a") + &one("b")),
        ("unless", one("a").replace("mode: enforce", unless)),
    ]
}

const NOW: Moment = Moment::from_unix_ms(1_800_000_000_000);

/// A leader under these policies with that many alerts open on one target, each decided.
fn storming(policies: &str, alerts: usize) -> State {
    let mut state = State::new();
    let files = vec![SourceFile { path: "all.yaml".to_owned(), text: policies.to_owned() }];
    let settings = Settings { mode: Mode::Enforce, ..Settings::default() };
    feed(&mut state, &Input::Adopt(Box::new(Source { files, settings, tzdb: String::new() })));
    feed(&mut state, &Input::Reign { leader: true, epoch: 1 });
    for from in (0..alerts).step_by(100) {
        deliver(&mut state, from..alerts.min(from + 100));
    }
    state
}

fn deliver(state: &mut State, numbers: std::ops::Range<usize>) {
    let alert = |number: usize| Alert {
        status: AlertStatus::Firing,
        labels: [("alertname", "Errors".to_owned()), ("pod", format!("web-{number}"))]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        annotations: Labels::new(),
        starts_at: NOW,
        ends_at: None,
        fingerprint: None,
    };
    let delivery = Delivery {
        sender: "am".to_owned(),
        receiver: String::new(),
        group_key: String::new(),
        correlation: "c".to_owned(),
        alerts: numbers.map(alert).collect(),
        unreadable: Vec::new(),
        truncated: 0,
    };
    feed(state, &Input::Alerts(delivery));
}

/// One input and all that is due then. Nobody answers questions.
fn feed(state: &mut State, input: &Input) {
    step(state, input);
    while wake(state).is_some_and(|due| due <= NOW) {
        step(state, &Input::Wake);
    }
}

fn step(state: &mut State, input: &Input) {
    let book = state.current_book();
    for event in decide(state, &book, NOW, input) {
        apply(state, NOW, &event);
    }
}

fn storms(criterion: &mut Criterion) {
    for (kind, policies) in kinds() {
        let mut group = criterion.benchmark_group(format!("storm/{kind}"));
        group
            .sample_size(10)
            .measurement_time(Duration::from_secs(3))
            .warm_up_time(Duration::from_millis(500));
        for open in [100, 1_000, 10_000] {
            let state = storming(&policies, open);
            group.throughput(Throughput::Elements(100));
            group.bench_with_input(BenchmarkId::from_parameter(open), &state, |bencher, state| {
                bencher.iter_batched_ref(
                    || state.clone(),
                    |state| deliver(black_box(state), open..open + 100),
                    BatchSize::LargeInput,
                );
            });
        }
        group.finish();
    }
}

/// How much more a hundred alerts cost among many than among few.
fn ratio(policies: &str, few: usize, many: usize) -> f64 {
    let cost = |open: usize| {
        let before = storming(policies, open);
        let run = || {
            let mut state = before.clone();
            let began = Instant::now();
            deliver(&mut state, open..open + 100);
            began.elapsed()
        };
        (0..5).map(|_| run()).min().unwrap_or_default()
    };
    cost(many).as_secs_f64() / cost(few).as_secs_f64()
}

fn main() {
    let small = !std::env::args().any(|argument| argument == "--bench");
    if !small {
        let mut criterion = Criterion::default().configure_from_args();
        storms(&mut criterion);
        criterion.final_summary();
    }
    let (few, many) = if small { (200, 1_600) } else { (1_000, 10_000) };
    for (kind, policies) in kinds() {
        let times = ratio(&policies, few, many);
        println!("storm/{kind}: an alert among {many} open ones costs {times:.2} times one among {few}");
    }
}
