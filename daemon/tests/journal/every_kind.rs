//! One record of every kind, with every shape of what is in it.

use paramedic_policies::action::{Action, Change, Diff, DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::alert::EpisodeKey;
use paramedic_policies::answer::{Answer, Found, Number, Preflight, Sample, Surroundings};
use paramedic_policies::book::{Digest, Source, SourceFile};
use paramedic_policies::event::{
    Advance, Closing, Conclusion, Event, Ignored, Record, SCHEMA, Seq, Unreadable, Verdict,
};
use paramedic_policies::guard::{Finding, Guard};
use paramedic_policies::order::PauseScope;
use paramedic_policies::policy::{LimitScope, Place};
use paramedic_policies::question::{Ask, Fact, Question};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::{
    abort_rollout, freeze_deploys, http_call, patch, reset_breaker, restart, rollback, scale,
};
use paramedic_policies::ruling::{self, Cap, EffectiveMode, Ruling};
use paramedic_policies::settings::Settings;
use paramedic_policies::state::CaseId;
use paramedic_policies::target::{Origin, Sought};
use paramedic_policies::time::{Moment, Span};
use serde_json::Value;

use crate::later_kinds;
use crate::samples::{deployment, labels, start};

/// How many kinds there are.
pub(crate) const KINDS: usize = 37;

/// The place of an event's kind. Whoever adds a kind adds a number here, and a sample below.
pub(crate) fn position(event: &Event) -> usize {
    match event {
        Event::Received { .. } => 0,
        Event::Opened { .. } => 1,
        Event::Closed { .. } => 2,
        Event::Asked { .. } => 3,
        Event::Told { .. } => 4,
        Event::Ruled { .. } => 5,
        Event::Held { .. } => 6,
        Event::Intended { .. } => 7,
        Event::Ended { .. } => 8,
        Event::Looked { .. } => 9,
        Event::Verified { .. } => 10,
        Event::Advanced { .. } => 11,
        Event::Concluded { .. } => 12,
        Event::Escalated { .. } => 13,
        Event::Approved { .. } => 14,
        Event::Denied { .. } => 15,
        Event::Lapsed { .. } => 16,
        Event::OrderRefused { .. } => 17,
        Event::Paused { .. } => 18,
        Event::Resumed { .. } => 19,
        Event::Adopted { .. } => 20,
        Event::StormBegan { .. } => 21,
        Event::StormGoesOn { .. } => 22,
        Event::StormEnded => 23,
        Event::Quarantined { .. } => 24,
        Event::RevertDropped { .. } => 25,
        Event::RevertHeld { .. } => 26,
        Event::Reigned { .. } => 27,
        Event::Began { .. } => 28,
        Event::ClockStepped { .. } => 29,
        Event::ClockAccepted { .. } => 30,
        Event::Notified { .. } => 31,
        Event::Delivered { .. } => 32,
        Event::Raised { .. } => 33,
        Event::Acknowledged { .. } => 34,
        Event::RevertOrdered { .. } => 35,
        Event::Cancelled { .. } => 36,
    }
}

pub(crate) fn text(text: &str) -> String {
    text.to_owned()
}

pub(crate) fn moment(minutes: u64) -> Moment {
    start() + Span::from_mins(minutes)
}

pub(crate) fn case() -> CaseId {
    CaseId { episode: Seq(2), policy: text("conductor-high-error-rate") }
}

/// The records, numbered from 1.
pub(crate) fn every_kind() -> Vec<Record> {
    let mut events = vec![
        Event::Began { version: text("0.1.0") },
        Event::Reigned { leader: true, epoch: 1 },
        adopted(),
        Event::Received {
            sender: text("alertmanager"),
            receiver: text("paramedic"),
            group_key: text("{}:{alertname=\"MaestroHighErrorRate\"}"),
            correlation: text("4bf92f3577b34da6a3ce929d0e0e4736"),
            alerts: 3,
            repeated: vec![Seq(2)],
            unreadable: vec![
                Unreadable { index: Some(2), problem: text("labels: expected a map"), count: None },
                Unreadable { index: None, problem: text("the body is not JSON"), count: None },
            ],
            truncated: 12,
            ignored: Ignored::default(),
        },
        Event::Opened {
            key: EpisodeKey::of(&labels(&[("alertname", "MaestroHighErrorRate")]), &[]),
            labels: labels(&[
                ("alertname", "MaestroHighErrorRate"),
                ("namespace", "prod"),
                ("ünïcode", "\"\\\n"),
            ]),
            annotations: labels(&[("summary", "5xx")]),
            starts_at: moment(0),
            fingerprint: Some(text("a1b2c3d4e5f60718")),
            correlation: text("4bf92f3577b34da6a3ce929d0e0e4736"),
            by_hand: None,
        },
        Event::Closed { episode: Seq(2), why: Closing::Resolved, ended_at: Some(moment(9)) },
        Event::Closed { episode: Seq(2), why: Closing::Expired, ended_at: None },
        Event::Held { case: case(), until: Some(moment(2)) },
        Event::Held { case: case(), until: None },
    ];
    events.extend(questions());
    events.extend(answers());
    events.extend(rulings());
    events.extend(intents());
    events.extend(outcomes());
    events.push(Event::Looked { intent: Seq(9), holds: None, seen: text("no series"), again: moment(3) });
    events.push(Event::Looked { intent: Seq(9), holds: Some(true), seen: text("0.004"), again: moment(3) });
    for verdict in [Verdict::Helped, Verdict::DidNotHelp, Verdict::Unknown] {
        events.push(Event::Verified { intent: Seq(9), verdict, seen: text("0.004") });
    }
    for why in [Advance::NextStep, Advance::NextRung, Advance::Relapse, Advance::Retry] {
        events.push(Event::Advanced { case: case(), rung: 1, step: 0, why, due: None, target: None });
    }
    for conclusion in [
        Conclusion::Helped,
        Conclusion::Done,
        Conclusion::Rehearsed,
        Conclusion::Already,
        Conclusion::Exhausted,
        Conclusion::Unknown,
        Conclusion::Failed,
        Conclusion::Resolved,
        Conclusion::Withdrawn,
        Conclusion::Denied,
    ] {
        events.push(Event::Concluded { case: case(), conclusion });
    }
    events.extend(orders());
    // What came later stands at the end, so that the lines before stay as they are.
    events.extend(patches());
    events.extend(rollbacks());
    events.extend(doubts());
    events.push(intended((0, call())));
    events.push(abort());
    events.push(adopted_for(Some(text("jane"))));
    events.extend(since_then());
    events.extend(later_kinds::samples());
    let record = |(index, event)| Record {
        seq: Seq(1).plus(index),
        at: start() + Span::from_ms(index as u64 * 1500),
        schema: SCHEMA,
        event,
    };
    events.into_iter().enumerate().map(record).collect()
}

fn adopted() -> Event {
    adopted_for(None)
}

fn adopted_for(by: Option<String>) -> Event {
    let files =
        vec![SourceFile { path: text("policies/conductor.yaml"), text: text("kind: RemediationPolicy\n") }];
    let source = Source { files, settings: Settings::default(), tzdb: text("2026a") };
    Event::Adopted { digest: source.digest(), source: Box::new(source), by }
}

fn questions() -> Vec<Event> {
    let target = deployment("prod", "web");
    let scale = Action::Scale(scale::Action {
        lever: scale::Lever::Replicas,
        from: 4,
        to: 6,
        wanted: None,
        set_by: None,
    });
    let asks = [
        (Fact::Confirmation, Ask::Query { promql: text("ALERTS{alertstate=\"firing\"}") }),
        (Fact::Let(text("zone")), Ask::Query { promql: text("topk(1, up)") }),
        (Fact::When(1), Ask::Query { promql: text("vector(1)") }),
        (Fact::Target, Ask::Seek { sought: Sought::Named(target.clone()) }),
        (
            Fact::Target,
            Ask::Seek {
                sought: Sought::OwnerOf { origin: Origin::Pod, namespace: text("prod"), name: text("web-0") },
            },
        ),
        (
            Fact::Preflight,
            Ask::Preflight { target: target.clone(), wish: Wish::Restart(restart::Wish {}), diff: true },
        ),
        (Fact::Preflight, Ask::Preflight { target: target.clone(), wish: Wish::Revert(scale), diff: false }),
        (Fact::Verification, Ask::Rollout { target }),
        (Fact::Verification, Ask::Http { url: text("https://web.example.com/healthz") }),
    ];
    let asked = |(fact, ask)| Event::Asked {
        question: Question { id: Seq(5), case: case(), fact, ask, deadline: moment(1) },
    };
    asks.into_iter().map(asked).collect()
}

fn answers() -> Vec<Event> {
    let sample = |value| Sample { labels: labels(&[("namespace", "prod")]), value: Number(value) };
    let preflight = Preflight {
        uid: text("6a1f0f6e"),
        action: Some(Action::Restart(restart::Action { generation: 4 })),
        already: false,
        refusals: vec![Reason::WorkloadPaused],
        passed: vec![text("no HPA")],
        labels: labels(&[("app", "web")]),
        beside: Default::default(),
        surroundings: Some(Surroundings { desired: 12, unavailable: 1, added: 1, workloads: 3 }),
        diff: Some(diff(DiffSource::ServerDryRun)),
    };
    let found = [
        Found::Series(Vec::new()),
        Found::Series([1.5, 0.1, 1e21, f64::INFINITY, f64::NEG_INFINITY].map(sample).into()),
        Found::Target(deployment("prod", "web")),
        Found::Preflight(Box::new(preflight)),
        Found::Rollout { complete: false, detail: text("3 of 4 updated") },
        Found::Http { status: 503 },
        Found::Absent { what: text("deployment web in prod") },
        Found::Failed { what: text("could not ask Prometheus: timeout") },
    ];
    found
        .into_iter()
        .map(|found| Event::Told { answer: Answer { question: Seq(5), taken_at: moment(1), found } })
        .collect()
}

fn diff(source: DiffSource) -> Diff {
    let change = Change { path: text("spec.replicas"), before: text("4"), after: text("6") };
    Diff { fields: vec![change], source }
}

fn rulings() -> Vec<Event> {
    let verdicts = [
        ruling::Verdict::Act,
        ruling::Verdict::Hold { until: moment(4) },
        ruling::Verdict::Withhold,
        ruling::Verdict::Propose { until: moment(30) },
    ];
    let ruled = |(index, verdict): (usize, ruling::Verdict)| {
        let mut findings = vec![
            Finding::allows(Guard::Leadership, ""),
            Finding::allows(Guard::Limits, "1 of 3 used in 1h by target"),
            Finding::not_asked(Guard::Confirmation),
        ];
        if index == 2 {
            findings.extend(reasons().into_iter().map(|reason| Finding::refuses(Guard::Preflight, reason)));
        }
        let full = index % 2 == 1;
        let capped_by = [None, Some(Cap::Daemon), None, Some(Cap::Storm)][index];
        Event::Ruled {
            ruling: Box::new(Ruling {
                episode: Seq(2),
                alert: text("MaestroHighErrorRate"),
                policy: text("conductor-high-error-rate"),
                book: Digest::of(b"book"),
                place: Place { file: text("policies/conductor.yaml"), line: 12 },
                rung: 0,
                step: 1,
                mode: EffectiveMode {
                    wanted: Mode::Enforce,
                    is: [Mode::Enforce, Mode::DryRun, Mode::Enforce, Mode::Approve][index],
                    capped_by,
                },
                target: full.then(|| deployment("prod", "web")),
                verdict,
                findings,
                action: full.then_some(Action::Restart(restart::Action { generation: 4 })),
                diff: full.then(|| diff(DiffSource::Computed { because: text("no permission to patch") })),
            }),
        }
    };
    verdicts.into_iter().enumerate().map(ruled).collect()
}

/// What no sample held before.
fn since_then() -> Vec<Event> {
    let (due, target) = (Some(moment(5)), Some(deployment("prod", "web")));
    let why = Advance::Relapse;
    let mut events = vec![Event::Advanced { case: case(), rung: 1, step: 0, why, due, target }];
    if let Some(Event::Ruled { mut ruling }) = rulings().pop() {
        let reason = Reason::TimeStandsStill { until: moment(20) };
        ruling.findings = vec![Finding::refuses(Guard::Clock, reason)];
        ruling.verdict = ruling::Verdict::Hold { until: moment(20) };
        events.push(Event::Ruled { ruling });
    }
    let wish = freeze_deploys::Wish {
        namespaces: vec![text("prod")],
        lasts: Span::from_hours(2),
        reason: Some(text("5xx after a deploy")),
        break_glass: text("paramedic:break-glass"),
        reach: Vec::new(),
    };
    let breaker = reset_breaker::Wish {
        breaker: text("payments"),
        endpoints: reset_breaker::Endpoints::OfService { port: text("http") },
    };
    let by = scale::Wish {
        amount: scale::Amount::By(2),
        min: None,
        max: Some(10),
        max_step: None,
        allow_down: false,
    };
    let selector = patch::Field::Selector { label: text("color"), to: text("blue"), ready: 2 };
    let healthy = rollback::Wish {
        query: text("job:http_5xx:ratio5m"),
        is: text("< 0.01"),
        held: Span::from_mins(30),
        deployed_within: Some(Span::from_hours(2)),
        helm: rollback::Helm::Refuse,
    };
    let Action::Http(http_call::Action { wish: http, .. }) = call() else { unreachable!("as it is written") };
    let http = Wish::Http(http);
    for wish in [
        Wish::FreezeDeploys(wish.clone()),
        Wish::ResetBreaker(breaker),
        Wish::Scale(by),
        Wish::Patch(selector),
        Wish::Rollback(healthy),
        http,
    ] {
        events.push(asked(wish));
    }
    let freeze = freeze_deploys::Freeze::new(wish, text("system:serviceaccount:paramedic:paramedic"));
    for action in [freeze_deploys::Action::Freeze(freeze.clone()), freeze_deploys::Action::Thaw(freeze)] {
        if let Some(Event::Intended { mut intent }) = intents().pop() {
            intent.action = Action::FreezeDeploys(action);
            events.push(Event::Intended { intent });
        }
    }
    events
}

fn intents() -> Vec<Event> {
    let actions = [
        Action::Restart(restart::Action { generation: 4 }),
        Action::Scale(scale::Action {
            lever: scale::Lever::Replicas,
            from: 4,
            to: 6,
            wanted: None,
            set_by: None,
        }),
        Action::Scale(scale::Action {
            lever: scale::Lever::MinReplicas { hpa: text("web"), uid: text("77") },
            from: 2,
            to: 4,
            wanted: None,
            set_by: None,
        }),
        Action::ResetBreaker(reset_breaker::Action {
            breaker: text("payments"),
            endpoints: vec![text("http://10.0.0.7:8080")],
            port: None,
        }),
    ];
    actions.into_iter().enumerate().map(intended).collect()
}

pub(crate) fn intended((index, action): (usize, Action)) -> Event {
    Event::Intended {
        intent: Box::new(Intent {
            id: Seq(30).plus(index),
            episode: Seq(2),
            policy: text("conductor-high-error-rate"),
            book: Digest::of(b"book"),
            rung: 0,
            step: 0,
            target: deployment("prod", "web"),
            uid: text("6a1f0f6e"),
            action,
            mode: Mode::Enforce,
            at: moment(1),
            deadline: moment(11),
            charged: index > 0,
            reverts: (index == 1).then_some(Seq(9)),
            revert_after: (index == 2).then_some(Span::from_hours(1)),
            epoch: 1,
            approved_by: (index == 3).then(|| text("ada")),
            correlation: (index == 0).then(|| text("4bf92f3577b34da6a3ce929d0e0e4736")),
        }),
    }
}

fn rollbacks() -> Vec<Event> {
    let rollback = Action::Rollback(rollback::Action {
        generation: 7,
        from: 4,
        to: 2,
        replica_set: text("web-6d4b75cb6d"),
        replica_set_uid: text("0f3c9b52"),
    });
    let by_helm =
        Reason::ManagedByOther { by: text("Helm release maestro"), why: text("its record would stay") };
    vec![
        intended((4, rollback)),
        Event::Ended { intent: Seq(9), outcome: Outcome::Refused { reasons: vec![by_helm] } },
    ]
}

fn call() -> Action {
    let look = http_call::Look {
        path: text("/m/1"),
        status: 200,
        field: Some((text("/state"), Value::from("dead"))),
        absent: None,
    };
    let post = |path: &str| http_call::Call {
        method: http_call::Method::Post,
        path: text(path),
        body: Some(serde_json::json!({"job": "1", "tries": 7})),
        expect: vec![202],
        already: vec![409],
    };
    Action::Http(http_call::Action {
        base: text("http://queues:8080"),
        wish: http_call::Wish {
            endpoint: text("dlq"),
            call: post("/m/1/dead"),
            look: Some(look.clone()),
            idempotent: true,
            idempotency_key: text("Idempotency-Key"),
            timeout: Span::from_secs(10),
            undo: Some(http_call::Undo { call: post("/m/1/replay"), look: Some(look) }),
        },
    })
}

fn abort() -> Event {
    let (from, to) = (text("7d4f8c5b9"), text("6d4b75cb6d"));
    intended((4, Action::AbortRollout(abort_rollout::Action { from, to })))
}

fn outcomes() -> Vec<Event> {
    let outcomes = [
        Outcome::Done { diff: Some(diff(DiffSource::Applied)), already: false },
        Outcome::Done { diff: None, already: true },
        Outcome::Refused { reasons: vec![Reason::Changed { what: text("spec.replicas is 5") }] },
        Outcome::Failed { what: text("rollout stuck"), applied: true, diff: None },
        Outcome::Unknown { what: text("no answer") },
    ];
    outcomes.into_iter().map(|outcome| Event::Ended { intent: Seq(9), outcome }).collect()
}

fn orders() -> Vec<Event> {
    let (by, web) = (text("ada"), deployment("prod", "web"));
    let mut events = vec![
        Event::Escalated {
            case: Some(case()),
            why: text("no rung helped"),
            notify: vec![text("sre-pager")],
            about: None,
        },
        Event::Escalated { case: None, why: text("a storm"), notify: Vec::new(), about: None },
        Event::Approved { proposal: Seq(8), by: by.clone(), comment: text("go") },
        Event::Denied { proposal: Seq(8), by: by.clone(), comment: String::new() },
        Event::Lapsed { proposal: Seq(8) },
        Event::OrderRefused { by: by.clone(), why: text("there is no proposal 7") },
        Event::StormBegan { why: text("61 new alerts in a minute, 50 allowed") },
        Event::StormGoesOn { again: moment(10) },
        Event::StormEnded,
        Event::Quarantined { policy: text("conductor-high-error-rate"), rounds: 3 },
        Event::RevertDropped { intent: Seq(9), why: text("the field no longer holds our value"), into: None },
        Event::RevertDropped { intent: Seq(9), why: text("a later lease took it over"), into: Some(Seq(11)) },
        Event::RevertHeld {
            intent: Seq(9),
            until: moment(12),
            why: text("everything is paused"),
            order_over: false,
            reason: String::new(),
            failures: 0,
            since: None,
            behind: None,
        },
        Event::ClockStepped { by_ms: -90_000 },
        Event::ClockAccepted { by: by.clone() },
        Event::Reigned { leader: false, epoch: 2 },
    ];
    for (index, scope) in [
        PauseScope::Everything,
        PauseScope::Namespace(text("prod")),
        PauseScope::Policy(text("conductor-high-error-rate")),
        PauseScope::Target(web),
    ]
    .into_iter()
    .enumerate()
    {
        let until = (index > 0).then(|| moment(60));
        events.push(Event::Paused { scope: scope.clone(), by: by.clone(), until, reason: text("release") });
        events.push(Event::Resumed { scope, by: by.clone() });
    }
    events
}

/// Every reason to refuse.
fn reasons() -> Vec<Reason> {
    let (until, since, per) = (moment(20), moment(1), Span::from_hours(1));
    vec![
        Reason::NotLeading,
        Reason::ClockStepped { by_ms: 90_000 },
        Reason::Storm { since, why: text("61 new alerts in a minute") },
        Reason::Paused { scope: PauseScope::Everything, by: text("ada"), until: Some(until) },
        Reason::PausedByAnnotation { until: text("2026-11-22T00:00:00Z") },
        Reason::Quarantined { since, rounds: 3 },
        Reason::OtherCluster { has: text("a"), ours: text("b") },
        Reason::Protected { rule: text("namespace kube-system") },
        Reason::Unless { episode: Seq(4), alert: text("DatabaseFailover") },
        Reason::TooYoung { age: Span::from_mins(1), wanted: Span::from_mins(2), until },
        Reason::OffSchedule { until: None },
        Reason::AlreadyRunning { intent: Seq(9) },
        Reason::Outranked { by: text("other") },
        Reason::TooManyRunning { have: 1, allow: 1 },
        Reason::CoolingDown { since, until },
        Reason::Settling { intent: Seq(9), until },
        Reason::LimitReached { by: LimitScope::Namespace, have: 3, allow: 3, per, until },
        Reason::Pace { until },
        Reason::TooManyTargets { have: 3, allow: 2, per, within: String::new(), until },
        Reason::TooManyDown { have: 4, of: 12, allow_percent: 25 },
        Reason::Relapsed { rungs: 2, since },
        Reason::NotConfirmed { found: text("no series") },
        Reason::ConditionFalse { condition: 0, value: text("0.5"), wanted: text("> 1") },
        Reason::FactUnknown { fact: text("when[0]"), found: text("NaN") },
        Reason::FactStale { fact: text("when[0]"), age: per, allow: Span::from_secs(30) },
        Reason::BadValue { what: text("namespace"), problem: text("`../x` is not a DNS label") },
        Reason::TargetAbsent { what: text("deployment web") },
        Reason::WrongKind { kind: text("Pod"), wanted: text("Deployment") },
        Reason::WorkloadPaused,
        Reason::RollingOut { detail: text("3 of 4 updated") },
        Reason::NoPodWouldMove { strategy: text("OnDelete") },
        Reason::OwnedByAutoscaler { by: text("web"), why: text("maxReplicas is 4") },
        Reason::ManagedByGitOps { by: text("Argo CD"), field: text("spec.replicas") },
        Reason::DisruptionBudget { budget: text("web"), allowed: 0 },
        Reason::OutOfBounds { value: 12, bound: 10, which: text("max") },
        Reason::WouldLower { from: 4, to: 2 },
        Reason::Changed { what: text("generation is 5") },
        Reason::ServerRefused { message: text("forbidden") },
        Reason::NoKubernetes,
        Reason::NotAsApproved { approved: text("scale 4 -> 6"), now: text("scale 5 -> 7") },
    ]
}

fn patches() -> Vec<Event> {
    let patched = |(place, key): (patch::Place, &str)| {
        let edit = patch::Edit { from: (key != "color").then(|| text("4Gi")), to: Some(text("6Gi")) };
        Action::Patch(patch::Action { place, edits: [(text(key), edit)].into() })
    };
    let places = [
        (patch::Place::Resources { container: text("db") }, "limits.memory"),
        (patch::Place::RateLimit, "nginx.ingress.kubernetes.io/limit-rps"),
        (patch::Place::Selector, "color"),
        (patch::Place::Annotation, "example.com/maintenance"),
        (patch::Place::Data, "maintenance"),
    ];
    places.into_iter().map(patched).enumerate().map(intended).collect()
}

fn doubts() -> Vec<Event> {
    let reasons = vec![
        Reason::EndedInDoubt { rung: 1, since: moment(1) },
        Reason::TimeStandsStill { until: moment(20) },
    ];
    vec![Event::Ended { intent: Seq(9), outcome: Outcome::Refused { reasons } }]
}

pub(crate) fn asked(wish: Wish) -> Event {
    let ask = Ask::Preflight { target: deployment("prod", "web"), wish, diff: false };
    let fact = Fact::Revert(Seq(9));
    Event::Asked { question: Question { id: Seq(5), case: case(), fact, ask, deadline: moment(1) } }
}
