//! A story: inputs at virtual times, a scripted world that answers questions, and the events that follow.
//! At the end of each, the state must equal the fold of the records, and survive being stored.

use std::collections::BTreeMap;

use paramedic_policies::action::{Action, Mode, Outcome, Wish};
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::answer::{Answer, Found, Number, Preflight, Sample, Surroundings};
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::engine::undo::{self, Rehearsed, Wanted};
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::evidence::Bag;
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::order::{Command, Order};
use paramedic_policies::question::{Ask, Question};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::scale::Amount;
use paramedic_policies::remediation::{
    block_ip, collect_evidence, freeze_deploys, quarantine, reset_breaker, restart, scale as scaling,
};
use paramedic_policies::ruling::Ruling;
use paramedic_policies::settings::Settings;
use paramedic_policies::state::{Duty, Phase, State};
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use paramedic_policies::{apply, decide, wake};

/// A policy that restarts the Deployment of the alert, then scales it.
pub(crate) const RESTART_THEN_SCALE: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: errors}
spec:
  description: Restart, then scale.
  mode: enforce
  match: ['alertname="Errors"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - restart: {}
      verify: {query: 'errors{namespace="{{ labels.namespace }}"}', is: "< 0.01", settle: 1m, hold: 1m, within: 10m, every: 15s}
    - scale: {by: 2, max: 10}
      revert: {after: 1h}
      verify: {query: 'errors{namespace="{{ labels.namespace }}"}', is: "< 0.01", settle: 1m, hold: 1m, within: 10m, every: 15s}
  onFailure: {notify: [sre]}
"#;

/// The story so far.
pub(crate) struct Story {
    pub(crate) state: State,
    pub(crate) now: Moment,
    pub(crate) records: Vec<(Moment, Event)>,
    /// What Prometheus says, by a part of the query; the longest part that fits wins.
    pub(crate) series: BTreeMap<String, Found>,
    /// Whether effects end at once with this outcome; without it they stay under way.
    pub(crate) outcome: Option<Outcome>,
    /// Whether the world answers questions at all.
    pub(crate) answers: bool,
    /// The replicas of every workload.
    pub(crate) replicas: u32,
    pub(crate) surroundings: Surroundings,
    /// The uid of every workload.
    pub(crate) uid: String,
    /// The labels of every workload.
    pub(crate) labels: Labels,
    /// What every look at a workload finds against the action.
    pub(crate) refusals: Vec<Reason>,
    /// Whether the pods that were put into quarantine are gone.
    pub(crate) pods_gone: bool,
    /// Why nobody can look at workloads.
    pub(crate) blind: Option<String>,
    /// The owner of every pod; without it, there is none.
    pub(crate) owner: Option<Target>,
    unanswered: Vec<Question>,
}

/// One series with this value.
pub(crate) fn value(value: f64) -> Found {
    Found::Series(vec![Sample { labels: Labels::new(), value: Number(value) }])
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An alert by name on `namespace/deployment`.
pub(crate) fn alert(name: &str, on: &str) -> Alert {
    let (namespace, deployment) = on.split_once('/').expect("namespace/deployment");
    Alert {
        status: AlertStatus::Firing,
        labels: labels(&[("alertname", name), ("namespace", namespace), ("deployment", deployment)]),
        annotations: Labels::new(),
        starts_at: Moment::from_unix_ms(0),
        ends_at: None,
        fingerprint: None,
    }
}

pub(crate) fn resolved(mut alert: Alert, ended: Moment) -> Alert {
    alert.status = AlertStatus::Resolved;
    alert.ends_at = Some(ended);
    alert
}

/// What was said of an undo is what came of it.
fn assert_agrees(said: Result<Rehearsed, String>, records: &[(Moment, Event)]) {
    let all = || records.iter().map(|(_, event)| event);
    let refused = all().find_map(|event| match event {
        Event::OrderRefused { why, .. } => Some(why.clone()),
        _ => None,
    });
    match (said, refused) {
        (Err(said), refused) => assert_eq!(Some(said), refused),
        (Ok(said), Some(why)) => panic!("{said:?}, and it was refused: {why}"),
        (Ok(Rehearsed { repeated, held, cancels, .. }), None) => {
            let is_order = |event: &Event| matches!(event, Event::RevertOrdered { .. });
            assert_eq!(repeated, !all().any(is_order), "{records:?}");
            let cancelled = all().filter_map(|event| match event {
                Event::Cancelled { episode, .. } => Some(*episode),
                _ => None,
            });
            assert_eq!(cancels, cancelled.collect::<Vec<_>>());
            if let Some(said) = held.filter(|_| !repeated) {
                let is_so = |event: &Event| matches!(event, Event::RevertHeld { why, .. } if *why == said);
                assert!(all().any(is_so), "{said}: {records:?}");
            }
        }
    }
}

pub(crate) fn settings() -> Settings {
    Settings { mode: Mode::Enforce, ..Settings::default() }
}

pub(crate) fn source(policies: &[&str], settings: &Settings) -> Source {
    let files = policies.iter().enumerate();
    let files = files
        .map(|(index, text)| SourceFile { path: format!("{index}.yaml"), text: (*text).to_owned() })
        .collect();
    Source { files, settings: settings.clone(), tzdb: "test".to_owned() }
}

impl Story {
    /// A leader with these policies, an hour after the epoch of its own: alerts that began at 0 are old.
    pub(crate) fn new(policies: &[&str]) -> Self {
        Self::with(policies, &settings())
    }

    pub(crate) fn with(policies: &[&str], settings: &Settings) -> Self {
        let mut story = Self {
            state: State::new(),
            now: Moment::from_unix_ms(1_800_000_000_000),
            records: Vec::new(),
            series: BTreeMap::from([("ALERTS".to_owned(), value(1.0)), ("errors".to_owned(), value(0.5))]),
            outcome: Some(Outcome::Done { diff: None, already: false }),
            answers: true,
            replicas: 4,
            surroundings: Surroundings { desired: 40, unavailable: 0, added: 1, workloads: 8 },
            uid: "uid-1".to_owned(),
            labels: Labels::new(),
            refusals: Vec::new(),
            pods_gone: false,
            blind: None,
            owner: None,
            unanswered: Vec::new(),
        };
        let source = source(policies, settings);
        if let Err(problems) = paramedic_policies::load::book(source.clone()) {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("the story's policies do not load:\n{}", problems.join("\n"));
        }
        story.feed(&Input::Began { version: "test".to_owned() });
        story.feed(&Input::Adopt(Box::new(source)));
        story.feed(&Input::Reign { leader: true, epoch: 1 });
        story
    }

    /// With the policies of paramedic's own.
    pub(crate) fn with_own() -> Self {
        let mut story = Self::with(&[], &settings());
        let empty = Source { files: Vec::new(), settings: settings(), tzdb: "test".to_owned() };
        let source = paramedic_policies::load::built_in::with(empty);
        story.feed(&Input::Adopt(Box::new(source)));
        story
    }

    pub(crate) fn adopt(&mut self, policies: &[&str], settings: &Settings) {
        self.feed(&Input::Adopt(Box::new(source(policies, settings))));
    }

    /// A record that another program made.
    pub(crate) fn record(&mut self, event: Event) {
        apply(&mut self.state, self.now, &event);
        self.records.push((self.now, event));
    }

    /// One input now, and all that is due by now, the world's answers included.
    pub(crate) fn feed(&mut self, input: &Input) {
        self.step(input);
        self.settle();
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            if wake(&self.state).is_some_and(|due| due <= self.now) {
                let before = (self.state.next, wake(&self.state));
                self.step(&Input::Wake);
                assert_ne!(before, (self.state.next, wake(&self.state)), "a due wake-up changes something");
                continue;
            }
            let Some(input) = self.reply() else {
                let mut anew = self.state.clone();
                anew.reindex();
                assert_eq!(anew.indexes, self.state.indexes, "the indexes are true");
                self.nothing_waits_for_ever();
                return;
            };
            self.step(&input);
        }
        panic!("the story does not come to rest");
    }

    /// Nothing looks again, by itself, at a sequence that has begun and whose alert is over: it is known when it ends.
    fn nothing_waits_for_ever(&self) {
        for case in self.state.cases.values() {
            let open = self.state.episodes.get(&case.id.episode).is_some_and(|episode| episode.is_open());
            let waits = match case.phase {
                Phase::Waiting { .. } => case.last_ruling.is_some(),
                Phase::Withheld => true,
                _ => false,
            };
            if !open && case.rung_begun && waits {
                let ends = case.kept.as_ref().and_then(|kept| kept.due);
                let due = ends.map(|due| (due, Duty::Kept(case.id.clone())));
                assert!(due.is_some_and(|due| self.state.agenda.contains(&due)), "{case:?} waits for ever");
            }
        }
    }

    fn step(&mut self, input: &Input) {
        let book = self.state.current_book();
        for event in decide(&self.state, &book, self.now, input) {
            if let Event::Asked { question } = &event {
                self.unanswered.push(question.clone());
            }
            apply(&mut self.state, self.now, &event);
            self.records.push((self.now, event));
        }
    }

    /// The world's next word: an answer, or the end of an effect.
    fn reply(&mut self) -> Option<Input> {
        if self.answers
            && let Some(question) = self.unanswered.pop()
        {
            let found = self.find(&question.ask);
            return Some(Input::Told(Answer { question: question.id, taken_at: self.now, found }));
        }
        let outcome = self.outcome.clone()?;
        let intent = self.state.in_flight.keys().next().copied()?;
        if let (Outcome::Done { .. }, Action::Scale(scaling::Action { to, .. })) =
            (&outcome, &self.state.in_flight[&intent].intent.action)
            && self.state.in_flight[&intent].intent.mode != Mode::DryRun
        {
            self.replicas = *to;
        }
        let is_look = self.state.in_flight[&intent].intent.action.looks_only();
        let outcome = match outcome {
            Outcome::Done { .. } if is_look => {
                Outcome::Collected { evidence: Box::new(Bag::new(0).closed()) }
            }
            outcome => outcome,
        };
        Some(Input::Ended { intent, outcome })
    }

    fn find(&self, ask: &Ask) -> Found {
        match ask {
            Ask::Query { promql } => {
                let fits = self.series.iter().filter(|(part, _)| promql.contains(part.as_str()));
                let best = fits.max_by_key(|(part, _)| part.len());
                best.map_or(Found::Series(Vec::new()), |(_, found)| found.clone())
            }
            Ask::Seek { sought } => match &self.owner {
                Some(owner) => Found::Target(owner.clone()),
                None => Found::Absent { what: sought.to_string() },
            },
            Ask::Preflight { .. } if self.blind.is_some() => {
                Found::Failed { what: self.blind.clone().unwrap_or_default() }
            }
            Ask::Preflight { wish, .. } => Found::Preflight(Box::new(self.preflight(wish))),
            Ask::Rollout { .. } => Found::Rollout { complete: true, detail: "4 of 4 updated".to_owned() },
            Ask::Http { .. } => Found::Http { status: 200 },
        }
    }

    pub(crate) fn preflight(&self, wish: &Wish) -> Preflight {
        let now = self.replicas;
        let scale = |to: u32| {
            Action::Scale(scaling::Action {
                lever: scaling::Lever::Replicas,
                from: now,
                to,
                wanted: None,
                set_by: None,
            })
        };
        let mut refusals = self.refusals.clone();
        let action = match wish {
            Wish::Restart(restart::Wish {}) => Some(Action::Restart(restart::Action { generation: 1 })),
            Wish::Scale(wanted) => {
                let to = match wanted.amount {
                    Amount::By(by) => now.saturating_add_signed(by),
                    Amount::To(to) => to,
                    Amount::AtLeast(least) => least.max(now),
                };
                (to != now).then(|| scale(to))
            }
            Wish::ResetBreaker(reset_breaker::Wish { breaker, .. }) => {
                Some(Action::ResetBreaker(reset_breaker::Action {
                    breaker: breaker.clone(),
                    endpoints: Vec::new(),
                    port: None,
                }))
            }
            Wish::Patch(_) | Wish::RunJob(_) | Wish::RenewCertificate(_) => {
                panic!("no story here patches, runs Jobs or renews")
            }
            Wish::EvictPod(_) | Wish::DeletePod(_) | Wish::DrainNode(_) => {
                panic!("no story here ends or moves pods")
            }
            Wish::Quarantine(wish) => {
                let held = quarantine::Held {
                    name: "web-1".to_owned(),
                    uid: "uid-web-1".to_owned(),
                    detached: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
                    was: None,
                };
                let all = quarantine::Quarantine { wish: wish.clone(), pods: vec![held] };
                Some(Action::Quarantine(quarantine::Action::Isolate(all)))
            }
            Wish::Revert(Action::Quarantine(quarantine::Action::Isolate(all))) => {
                let pods = if self.pods_gone { Vec::new() } else { all.pods.clone() };
                let wish = all.wish.clone();
                Some(Action::Quarantine(quarantine::Action::Release(quarantine::Quarantine { wish, pods })))
            }
            Wish::CollectEvidence(wish) => {
                Some(Action::CollectEvidence(collect_evidence::Action { wish: wish.clone() }))
            }
            Wish::FreezeDeploys(wish) => {
                let freeze = freeze_deploys::Freeze::new(wish.clone(), "us".to_owned());
                Some(Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze)))
            }
            Wish::Revert(Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze))) => {
                Some(Action::FreezeDeploys(freeze_deploys::Action::Thaw(freeze.clone())))
            }
            Wish::Rollback(_) | Wish::AbortRollout(_) => {
                let what = "earlier deploy that was healthy: there is none".to_owned();
                refusals.push(paramedic_policies::reason::Reason::TargetAbsent { what });
                None
            }
            Wish::Http(_) => panic!("no story here calls an endpoint"),
            Wish::BlockIp(wish) => Some(Action::BlockIp(block_ip::Action::Block(blocked(wish)))),
            Wish::Revert(Action::BlockIp(block_ip::Action::Block(block))) => {
                Some(Action::BlockIp(block_ip::Action::Unblock(unblocked(block, self.now))))
            }
            Wish::Revert(Action::Scale(scaling::Action { lever, from, to, .. })) if *to == now => {
                Some(Action::Scale(scaling::Action {
                    lever: lever.clone(),
                    from: *to,
                    to: *from,
                    wanted: None,
                    set_by: None,
                }))
            }
            Wish::Revert(Action::Scale(scaling::Action { from, .. })) if *from == now => None,
            Wish::Revert(_) => {
                let what = format!("replicas are {now}");
                refusals.push(Reason::Changed { what });
                None
            }
        };
        // What a thaw removes is known by its stamp, not by a uid.
        let is_thaw = matches!(wish, Wish::Revert(Action::FreezeDeploys(_) | Action::Quarantine(_)));
        Preflight {
            uid: if is_thaw { String::new() } else { self.uid.clone() },
            already: action.is_none() && refusals.is_empty(),
            action,
            refusals,
            passed: Vec::new(),
            labels: self.labels.clone(),
            beside: Default::default(),
            surroundings: Some(self.surroundings),
            diff: None,
        }
    }

    pub(crate) fn deliver(&mut self, alerts: Vec<Alert>) {
        self.deliver_truncated(alerts, 0);
    }

    pub(crate) fn deliver_truncated(&mut self, alerts: Vec<Alert>, truncated: u64) {
        self.feed(&Input::Alerts(Delivery {
            sender: "alertmanager".to_owned(),
            receiver: "paramedic".to_owned(),
            group_key: "{}".to_owned(),
            correlation: "c-1".to_owned(),
            alerts,
            unreadable: Vec::new(),
            truncated,
        }));
    }

    pub(crate) fn order(&mut self, command: Command) {
        let (before, said) = (self.records.len(), self.rehearsed(&command));
        self.feed(&Input::Order(Order { by: "ada".to_owned(), command }));
        if let Some(said) = said {
            assert_agrees(said, &self.records[before..]);
        }
    }

    /// What is said of an undo before it is ordered.
    fn rehearsed(&self, command: &Command) -> Option<Result<Rehearsed, String>> {
        let Command::Undo { intent, only, reason, past } = command else { return None };
        let wanted = Wanted { intent: *intent, only, reason, past: past.as_deref() };
        Some(undo::rehearse(&self.state, &self.state.current_book(), self.now, "ada", &wanted))
    }

    /// Lets time pass, with every wake-up on the way.
    pub(crate) fn pass(&mut self, span: &str) {
        let end = self.now + span.parse::<Span>().expect("a span");
        while let Some(due) = wake(&self.state).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = end;
    }

    /// The process is killed and another one folds the journal.
    pub(crate) fn restart(&mut self) {
        let mut folded = State::new();
        for (at, event) in &self.records {
            apply(&mut folded, *at, event);
        }
        assert_eq!(stored(&folded), stored(&self.state), "replay equals life");
        assert_eq!(folded.indexes, self.state.indexes, "replay equals life");
        let text = stored(&folded);
        self.state = serde_json::from_str(&text).expect("a stored state loads");
        assert_eq!(stored(&self.state), text, "a state survives being stored");
        assert_eq!(folded.indexes, self.state.indexes, "what is derived is derived again");
        self.unanswered.clear();
        self.feed(&Input::Began { version: "test".to_owned() });
        self.feed(&Input::Reign { leader: true, epoch: 2 });
    }

    /// The kinds of all events, one word each.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.records.iter().map(|(_, event)| event.kind()).collect()
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.kinds().iter().filter(|had| **had == kind).count()
    }

    /// The intents, as `policy: action on target`.
    pub(crate) fn intents(&self) -> Vec<String> {
        let intents = self.records.iter().filter_map(|(_, event)| match event {
            Event::Intended { intent } => {
                Some(format!("{}: {} on {}", intent.policy, intent.action, intent.target))
            }
            _ => None,
        });
        intents.collect()
    }

    pub(crate) fn rulings(&self) -> Vec<&Ruling> {
        let rulings = self.records.iter().filter_map(|(_, event)| match event {
            Event::Ruled { ruling } => Some(&**ruling),
            _ => None,
        });
        rulings.collect()
    }

    /// What the last ruling says: its verdict and its reasons.
    pub(crate) fn last_ruling(&self) -> String {
        let rulings = self.rulings();
        let ruling = rulings.last().expect("a ruling");
        let reasons: Vec<String> =
            ruling.findings.iter().filter_map(|finding| finding.reason()).map(ToString::to_string).collect();
        format!("{}: {}", ruling.verdict.name(), reasons.join("; "))
    }

    /// Why people were called.
    pub(crate) fn calls(&self) -> Vec<&str> {
        let calls = self.records.iter().filter_map(|(_, event)| match event {
            Event::Escalated { why, .. } => Some(why.as_str()),
            _ => None,
        });
        calls.collect()
    }

    /// Sequence of the last record of this kind.
    pub(crate) fn last(&self, kind: &str) -> Seq {
        let position = self.kinds().iter().rposition(|had| *had == kind).expect("such a record");
        Seq(position as u64 + 1)
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.restart();
        }
    }
}

fn stored(state: &State) -> String {
    serde_json::to_string(state).expect("a state is plain data")
}

/// An address for its time; of a query two, the second for four times as long.
fn blocked(wish: &block_ip::Wish) -> block_ip::Block {
    let entry = |address: &str, times: u32| block_ip::Entry {
        range: address.parse().expect("an address"),
        lasts: Span::from_ms(wish.terms.lasts.ms() * u64::from(times)),
        times,
    };
    let ranges = match &wish.whom {
        block_ip::Whom::Address(range) => vec![entry(&range.to_string(), 1)],
        block_ip::Whom::Query { .. } => vec![entry("203.0.113.7", 1), entry("203.0.113.8", 4)],
    };
    block_ip::Block { ranges, terms: wish.terms.clone() }
}

/// The first of them is over.
fn unblocked(block: &block_ip::Block, now: Moment) -> block_ip::Unblock {
    let (first, rest) = block.ranges.split_first().expect("a block is of somebody");
    let again = rest.first().map(|next| now + Span::from_ms(next.lasts.ms() - first.lasts.ms()));
    block_ip::Unblock { ranges: vec![first.clone()], rest: rest.to_vec(), again, terms: block.terms.clone() }
}
