//! A journal as the daemon would have written it: the real engine, answered by a world that is written down here.

use std::path::Path;

use paramedic_policies::action::{Action, Change, Diff, DiffSource, Outcome};
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::answer::{Answer, Found, Number, Preflight, Sample};
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::event::{Event, Record, SCHEMA};
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::order::{Command, Order, PauseScope};
use paramedic_policies::question::{Ask, Fact, Question};
use paramedic_policies::remediation::restart;
use paramedic_policies::settings::Settings;
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_policies::{apply, decide, wake};
use paramedic_remediations::ports::journal::{Block, Journal as _};

use super::at;
use crate::journal::{Options, SledJournal};

/// Two policies; one matches what fires.
pub(super) const POLICY: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-errors}
spec:
  description: Errors without traffic loss; roll the pods, then add some.
  mode: enforce
  match: ['alertname="CartErrors"', 'severity=~"critical|page"']
  for: 2m
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  when:
    - {query: 'sum(rate(http_requests_total{namespace="{{ labels.namespace }}"}[5m]))', is: "> 1"}
  ladder:
    - restart: {}
      verify: {query: 'sum(job:http_5xx:ratio5m{namespace="{{ labels.namespace }}"})', is: "< 0.01", settle: 1m, hold: 1m, within: 10m, every: 30s}
    - scale: {by: 2, max: 10}
      verify: {rollout: complete}
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: search-slow}
spec:
  match: ['alertname="SearchSlow"']
  target: {kind: Deployment, namespace: search, name: search}
  ladder:
    - restart: {}
      verify: {rollout: complete}
"#;

/// A journal on disk, closed.
pub(in crate::cli) struct Fixture {
    dir: tempfile::TempDir,
    pub(in crate::cli) records: Vec<Record>,
}

impl Fixture {
    pub(in crate::cli) fn path(&self) -> &str {
        self.dir.path().to_str().expect("UTF-8")
    }

    /// The nth record of a kind.
    pub(super) fn seq_of(&self, kind: &str, nth: usize) -> String {
        let of_kind = self.records.iter().filter(|record| record.event.kind() == kind).nth(nth);
        of_kind.unwrap_or_else(|| panic!("no {kind} {nth} in {:#?}", self.records)).seq.to_string()
    }

    /// Holds the journal as a daemon does.
    pub(super) fn held(&self) -> SledJournal {
        SledJournal::open(self.dir.path(), options(), at("09:30:00")).expect("the journal opens").0
    }
}

fn options() -> Options {
    Options { keep_for: None, ..Options::default() }
}

/// What differs between tales.
pub(super) struct Tale {
    /// How the restart ends.
    pub(super) outcome: Outcome,
    /// What stands in a label, an annotation, a person's name and a comment.
    pub(super) words: Option<&'static str>,
}

/// One alert that is first too young, then restarted, verified and resolved; then a pause by Ada.
pub(in crate::cli) fn journal() -> Fixture {
    told(Tale { outcome: restarted(), words: None })
}

/// A pause of the alert's namespace while it fires, lifted an hour later; and Ada runs a policy by hand.
pub(super) fn by_hand() -> Fixture {
    let mut life = begun(restarted());
    let order = |command| Input::Order(Order { by: "ada".to_owned(), command });
    life.take(at("09:00:00"), Input::Alerts(delivery(AlertStatus::Firing)));
    life.until(at("09:05:00"));
    let scope = PauseScope::Namespace("shop".to_owned());
    let reason = "hands off".to_owned();
    let paused = Command::Pause { scope: scope.clone(), until: None, reason };
    life.take(at("09:06:00"), order(paused));
    life.take(at("09:12:00"), Input::Alerts(delivery(AlertStatus::Resolved)));
    life.until(at("09:14:00"));
    life.take(at("09:15:00"), order(Command::Resume { scope }));
    let run = Command::Run {
        policy: "search-slow".to_owned(),
        labels: Labels::new(),
        reason: "a customer called".to_owned(),
        dry_run: false,
        key: "k-1".to_owned(),
    };
    life.take(at("09:16:00"), order(run));
    life.until(at("09:28:00"));
    life.written()
}

/// The same with other words, or another end.
pub(super) fn told(tale: Tale) -> Fixture {
    let words = tale.words;
    let delivery = |status| {
        let mut delivery = delivery(status);
        if let Some(words) = words {
            delivery.alerts[0].labels.insert("note".to_owned(), words.to_owned());
            delivery.alerts[0].annotations.insert("summary".to_owned(), words.to_owned());
        }
        delivery
    };
    let mut life = begun(tale.outcome);
    life.take(at("09:00:00"), Input::Alerts(delivery(AlertStatus::Firing)));
    life.until(at("09:12:00"));
    life.take(at("09:12:00"), Input::Alerts(delivery(AlertStatus::Resolved)));
    let scope = PauseScope::Namespace("shop".to_owned());
    let until = Some(at("11:20:00"));
    let command = Command::Pause { scope, until, reason: words.unwrap_or("load test").to_owned() };
    life.take(at("09:20:00"), Input::Order(Order { by: words.unwrap_or("ada").to_owned(), command }));
    life.until(at("09:25:00"));
    life.written()
}

/// A daemon that enforces these policies.
fn begun(outcome: Outcome) -> Life {
    let mut life = Life { state: State::new(), records: Vec::new(), outcome };
    life.take(at("08:58:00"), Input::Began { version: "0.1.0".to_owned() });
    life.take(at("08:58:00"), Input::Reign { leader: true, epoch: 1 });
    let mut settings = Settings { mode: paramedic_policies::action::Mode::Enforce, ..Settings::default() };
    settings.guards.confirmation = true;
    let files = vec![SourceFile { path: "policies/cart.yaml".to_owned(), text: POLICY.to_owned() }];
    let source = Source { files, settings, tzdb: "2026a".to_owned() };
    life.take(at("08:58:00"), Input::Adopt(Box::new(source)));
    life
}

struct Life {
    state: State,
    records: Vec<Record>,
    outcome: Outcome,
}

impl Life {
    fn take(&mut self, now: Moment, input: Input) {
        let book = self.state.current_book();
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for event in decide(&self.state, &book, now, &input) {
                let seq = self.state.next;
                match &event {
                    Event::Asked { question } => inputs.push_back(Input::Told(answer(question, now))),
                    Event::Intended { .. } => {
                        inputs.push_back(Input::Ended { intent: seq, outcome: self.outcome.clone() })
                    }
                    _ => {}
                }
                apply(&mut self.state, now, &event);
                self.records.push(Record { seq, at: now, schema: SCHEMA, event });
            }
        }
    }

    /// Whatever is due until then.
    fn until(&mut self, end: Moment) {
        while let Some(due) = wake(&self.state).filter(|due| *due <= end) {
            let now = due.max(self.state.now);
            self.take(now, Input::Wake);
        }
    }

    fn written(self) -> Fixture {
        let dir = tempfile::tempdir().expect("a folder");
        write(dir.path(), &self.records);
        Fixture { dir, records: self.records }
    }
}

fn write(dir: &Path, records: &[Record]) {
    let (mut journal, _) = SledJournal::open(dir, options(), at("08:58:00")).expect("a new journal");
    for record in records {
        journal.append(&Block { records: vec![record.clone()] }).expect("the block is durable");
    }
}

fn delivery(status: AlertStatus) -> Delivery {
    let labels: Labels =
        [("alertname", "CartErrors"), ("namespace", "shop"), ("deployment", "cart"), ("severity", "page")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    let annotations = [("summary".to_owned(), "Carts fail for customers".to_owned())].into();
    Delivery {
        sender: "alertmanager".to_owned(),
        receiver: "paramedic".to_owned(),
        group_key: String::new(),
        correlation: "c0ffee".to_owned(),
        alerts: vec![Alert {
            status,
            labels,
            annotations,
            starts_at: at("08:59:30"),
            ends_at: None,
            fingerprint: Some("9d8f3c2ab1e07755".to_owned()),
        }],
        unreadable: Vec::new(),
        truncated: 0,
    }
}

fn answer(question: &Question, now: Moment) -> Answer {
    let number = |value: f64| Found::Series(vec![Sample { labels: Labels::new(), value: Number(value) }]);
    let found = match (&question.fact, &question.ask) {
        (Fact::When(_), _) => number(42.5),
        (Fact::Verification, _) => number(0.003),
        (_, Ask::Preflight { .. }) => Found::Preflight(Box::new(Preflight {
            uid: "0d3e".to_owned(),
            action: Some(Action::Restart(restart::Action { generation: 7 })),
            already: false,
            refusals: Vec::new(),
            passed: vec!["no rollout is under way".to_owned()],
            labels: std::collections::BTreeMap::new(),
            beside: Default::default(),
            surroundings: Some(paramedic_policies::answer::Surroundings {
                desired: 20,
                unavailable: 1,
                added: 1,
                workloads: 5,
            }),
            diff: None,
        })),
        _ => number(1.0),
    };
    Answer { question: question.id, taken_at: now + Span::ZERO, found }
}

fn restarted() -> Outcome {
    let path = "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]".to_owned();
    let fields = vec![Change { path, before: "-".to_owned(), after: "2026-11-21T09:02:00Z".to_owned() }];
    Outcome::Done { diff: Some(Diff { fields, source: DiffSource::Applied }), already: false }
}
