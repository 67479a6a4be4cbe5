//! Records as the engine makes them. Ids fit together, so that they can be folded.

use paramedic::journal::{Options, Recovered, SledJournal};
use paramedic_policies::action::{Action, Diff, DiffSource, Intent, Mode, Outcome};
use paramedic_policies::alert::{EpisodeKey, Labels};
use paramedic_policies::answer::{Answer, Found, Number, Sample};
use paramedic_policies::book::Digest;
use paramedic_policies::event::{Event, Ignored, Record, SCHEMA, Seq, Verdict};
use paramedic_policies::guard::{Finding, Guard};
use paramedic_policies::policy::Place;
use paramedic_policies::question::{Ask, Fact, Question};
use paramedic_policies::remediation::restart;
use paramedic_policies::ruling::{self, EffectiveMode, Ruling};
use paramedic_policies::state::CaseId;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::journal::Block;
use std::path::Path;

/// The first record's time.
pub(crate) const START: &str = "2026-11-21T08:30:00.000Z";

pub(crate) fn start() -> Moment {
    START.parse().expect("a time")
}

/// Makes records one after the other, a second apart.
#[derive(Debug)]
pub(crate) struct Scribe {
    pub(crate) next: Seq,
    pub(crate) at: Moment,
    pub(crate) all: Vec<Record>,
    open: usize,
}

impl Scribe {
    pub(crate) fn new() -> Self {
        Self { next: Seq(1), at: start(), all: Vec::new(), open: 0 }
    }

    /// The next record.
    pub(crate) fn write(&mut self, event: Event) -> Seq {
        let seq = self.next;
        self.all.push(Record { seq, at: self.at, schema: SCHEMA, event });
        self.next = seq.plus(1);
        self.at = self.at + Span::from_secs(1);
        seq
    }

    /// What was written since the last call, as a block.
    pub(crate) fn block(&mut self) -> Block {
        let records = self.all[self.open..].to_vec();
        self.open = self.all.len();
        Block { records }
    }

    /// Forgets what was taken as blocks.
    #[allow(dead_code, reason = "for those who write more than they can remember")]
    pub(crate) fn restart_block(&mut self) {
        self.all.drain(..self.open);
        self.open = 0;
    }

    /// An alert arrives and opens an episode.
    pub(crate) fn alert(&mut self, alert: &str, namespace: &str, deployment: &str) -> Seq {
        let correlation = format!("webhook-{:08x}", self.next.0);
        self.write(Event::Received {
            sender: "alertmanager".to_owned(),
            receiver: "paramedic".to_owned(),
            group_key: format!("{{}}:{{alertname=\"{alert}\"}}"),
            correlation: correlation.clone(),
            alerts: 1,
            repeated: Vec::new(),
            unreadable: Vec::new(),
            truncated: 0,
            ignored: Ignored::default(),
        });
        let labels = labels(&[
            ("alertname", alert),
            ("cluster", "maestro-prod"),
            ("deployment", deployment),
            ("job", "conductor"),
            ("namespace", namespace),
            ("pod", &format!("{deployment}-{:05x}", self.next.0)),
            ("severity", "critical"),
        ]);
        self.write(Event::Opened {
            key: EpisodeKey::of(&labels, &[]),
            annotations: super_annotations(deployment),
            starts_at: self.at,
            fingerprint: Some(format!("{:016x}", self.next.0 * 7919)),
            labels,
            correlation,
            by_hand: None,
        })
    }

    /// A policy asks, is told, and decides on an episode.
    pub(crate) fn decision(
        &mut self,
        episode: Seq,
        alert: &str,
        policy: &str,
        on: &Target,
        verdict: ruling::Verdict,
    ) {
        let case = CaseId { episode, policy: policy.to_owned() };
        let question = Question {
            id: self.next,
            case,
            fact: Fact::Confirmation,
            ask: Ask::Query {
                promql: format!(
                    "ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",namespace=\"{}\"}}",
                    on.namespace
                ),
            },
            deadline: self.at + Span::from_secs(10),
        };
        let question = self.write(Event::Asked { question });
        let sample =
            Sample { labels: labels(&[("alertname", alert), ("alertstate", "firing")]), value: Number(1.0) };
        let answer = Answer { question, taken_at: self.at, found: Found::Series(vec![sample]) };
        self.write(Event::Told { answer });
        let allows = |(guard, detail): (Guard, &str)| Finding::allows(guard, detail);
        let ruling = Ruling {
            episode,
            alert: alert.to_owned(),
            policy: policy.to_owned(),
            book: Digest::of(b"book"),
            place: Place { file: "policies/conductor.yaml".to_owned(), line: 12 },
            rung: 0,
            step: 0,
            mode: EffectiveMode { wanted: Mode::Enforce, is: Mode::Enforce, capped_by: None },
            target: Some(on.clone()),
            verdict,
            findings: [
                (Guard::Leadership, ""),
                (Guard::Clock, ""),
                (Guard::Pause, ""),
                (Guard::Quarantine, "0 of 3 rounds did not help"),
                (Guard::Storm, "3 new alerts in a minute of 50"),
                (Guard::Cluster, ""),
                (Guard::Unless, ""),
                (Guard::For, "open for 2m of 2m"),
                (Guard::Schedule, ""),
                (Guard::Target, ""),
                (Guard::Protection, ""),
                (Guard::InFlight, ""),
                (Guard::Precedence, ""),
                (Guard::Concurrency, "0 of 1"),
                (Guard::Cooldown, ""),
                (Guard::Settle, ""),
                (Guard::Relapse, ""),
                (Guard::Limits, "1 of 3 used in 1h by target"),
                (Guard::Pace, ""),
                (Guard::BlastTargets, "1 of 2 targets in 30m"),
                (Guard::Confirmation, "firing"),
                (Guard::Conditions, "sum(rate(...)) is 12.5, wanted > 1"),
                (Guard::Preflight, "not paused, no HPA, no owner of this field"),
            ]
            .map(allows)
            .into(),
            action: Some(Action::Restart(restart::Action { generation: 4 })),
            diff: None,
        };
        self.write(Event::Ruled { ruling: Box::new(ruling) });
    }

    /// An intent, its end and its verification.
    pub(crate) fn action(&mut self, episode: Seq, policy: &str, on: &Target, outcome: Outcome) -> Seq {
        let intent = Intent {
            id: self.next,
            episode,
            policy: policy.to_owned(),
            book: Digest::of(b"book"),
            rung: 0,
            step: 0,
            target: on.clone(),
            uid: "6a1f0f6e-6c3a-4c0e-9b57-0d8b5f6c1a11".to_owned(),
            action: Action::Restart(restart::Action { generation: 4 }),
            mode: Mode::Enforce,
            at: self.at,
            deadline: self.at + Span::from_mins(10),
            charged: true,
            reverts: None,
            revert_after: None,
            epoch: 1,
            approved_by: None,
            correlation: Some("webhook-1".to_owned()),
        };
        let intent = self.write(Event::Intended { intent: Box::new(intent) });
        self.write(Event::Ended { intent, outcome });
        self.write(Event::Looked {
            intent,
            holds: Some(false),
            seen: "0.04".to_owned(),
            again: self.at + Span::from_secs(15),
        });
        self.write(Event::Verified { intent, verdict: Verdict::Helped, seen: "0.002".to_owned() });
        intent
    }
}

fn super_annotations(deployment: &str) -> Labels {
    labels(&[
        ("runbook_url", "https://runbooks.example.com/conductor/high-error-rate"),
        ("summary", &format!("{deployment} answers more than 5 % of requests with 5xx")),
    ])
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn deployment(namespace: &str, name: &str) -> Target {
    Target { kind: "Deployment".to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}

pub(crate) fn done() -> Outcome {
    Outcome::Done { diff: Some(Diff { fields: Vec::new(), source: DiffSource::Applied }), already: false }
}

pub(crate) fn open(dir: &Path) -> (SledJournal, Recovered) {
    SledJournal::open(dir, Options::default(), start()).expect("the journal opens")
}
