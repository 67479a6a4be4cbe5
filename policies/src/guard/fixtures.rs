//! A small world for the guards' tests: one policy, one open episode, one case on `prod/web`, at half past eight.
//! Nothing in it refuses; a test changes the one thing it is about. Must hold no idea of what a guard should say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{Action, Intent, Mode};
use crate::alert::{EpisodeKey, Labels};
use crate::answer::{Found, Number, Preflight, Sample};
use crate::book::{Book, Digest, Source};
use crate::event::Seq;
use crate::guard::{Finding, Stance, View};
use crate::matcher::{Matcher, Operator};
use crate::order::ByHand;
use crate::policy::{
    Condition, Empty, Guards, InStorm, Let, Limit, LimitScope, OnFailure, Place, Policy, Rung, Step,
    TargetSpec,
};
use crate::promql::Query;
use crate::question::Fact;
use crate::reason::Reason;
use crate::remediation::{Remediation, collect_evidence, freeze_deploys, restart, scale as scaling};
use crate::settings::Settings;
use crate::state::{
    Case, CaseId, Charge, Episode, InFlight, Known, LastAction, LastLadder, LastRuling, Phase, RungEnd, State,
};
use crate::target::Target;
use crate::template::Template;
use crate::time::{Moment, Span};

/// Everything that a view needs.
pub(super) struct World {
    pub(super) state: State,
    pub(super) settings: Settings,
    pub(super) policy: Policy,
    pub(super) episode: Episode,
    pub(super) case: Case,
    pub(super) target: Option<Result<Target, Reason>>,
    pub(super) rehearsal: bool,
    pub(super) now: Moment,
}

impl World {
    /// The policy `restart-web` on the alert `WebDown` of `prod/web`, open since eight o'clock.
    pub(super) fn new() -> Self {
        let mut world = Self {
            state: State { leader: true, epoch: 3, ..State::default() },
            settings: Settings::default(),
            policy: policy("restart-web"),
            episode: episode(1, "WebDown", "08:00:00"),
            case: case(1, "restart-web"),
            target: Some(Ok(target("prod/web"))),
            rehearsal: false,
            now: at("08:30:00"),
        };
        let (episode, case) = (world.episode.clone(), world.case.clone());
        world.add_episode(episode);
        world.add_case(case, "prod/web");
        world
    }

    /// What a guard says in this world, as people read it.
    pub(super) fn says(&self, judge: impl FnOnce(&View<'_>) -> Finding) -> String {
        self.view(|view| said(&judge(view)))
    }

    /// What each finding says in this world, as people read it.
    pub(super) fn each_says(&self, judge: impl FnOnce(&View<'_>) -> Vec<Finding>) -> Vec<String> {
        self.view(|view| judge(view).iter().map(said).collect())
    }

    /// This world as a guard sees it.
    pub(super) fn view<T>(&self, see: impl FnOnce(&View<'_>) -> T) -> T {
        let book = Arc::new(self.book());
        let mut state = self.state.clone();
        state.books.insert(book.digest(), Arc::clone(&book));
        state.reindex();
        see(&View {
            state: &state,
            book: &book,
            policy: &self.policy,
            episode: &self.episode,
            case: &self.case,
            target: self.target.as_ref().map(Result::as_ref),
            rehearsal: self.rehearsal,
            unaskable: &BTreeMap::new(),
            now: self.now,
        })
    }

    pub(super) fn book(&self) -> Book {
        Book {
            policies: BTreeMap::from([(self.policy.name.clone(), self.policy.clone())]),
            source: Source { files: Vec::new(), settings: self.settings.clone(), tzdb: String::new() },
            digest: Digest::default(),
            index: Default::default(),
        }
    }

    /// An enforced action that counts.
    pub(super) fn charge(&mut self, policy: &str, on: &str, when: &str) {
        let intent = Seq(100 + self.state.ledger.charges.len() as u64);
        let (policy, target) = (policy.to_owned(), target(on));
        self.state.ledger.charges.push_back(Charge {
            at: at(when),
            intent,
            policy,
            target,
            beyond: Vec::new(),
            spares_workloads: false,
        });
    }

    /// An effect under way.
    pub(super) fn start(&mut self, id: u64, policy: &str, on: &str) {
        let intent = intent(id, policy, on);
        self.state.in_flight.insert(Seq(id), InFlight { intent, in_doubt: false });
    }

    /// The last action on a target.
    pub(super) fn ended(&mut self, id: u64, policy: &str, episode: u64, on: &str, when: &str) {
        let last = LastAction {
            intent: Seq(id),
            policy: policy.to_owned(),
            episode: Seq(episode),
            ended_at: at(when),
        };
        self.state.last_actions.insert(target(on), last);
    }

    /// Another case on a target, with an open episode of its own.
    pub(super) fn other_case(&mut self, id: u64, policy: &str, priority: i32, on: &str, phase: Phase) {
        self.add_episode(episode(id, "Other", "08:10:00"));
        self.add_case(Case { priority, phase, ..case(id, policy) }, on);
    }

    pub(super) fn add_episode(&mut self, episode: Episode) {
        self.state.open.insert(episode.key, episode.id);
        self.state.episodes.insert(episode.id, episode);
    }

    fn add_case(&mut self, mut case: Case, on: &str) {
        case.target = Some(target(on));
        self.state.cases.insert(case.id.clone(), case);
    }

    /// An answer to a fact, taken at that time.
    pub(super) fn told(&mut self, fact: Fact, when: &str, found: Found) {
        self.case.facts.insert(fact, Known { taken_at: at(when), found });
    }

    /// A preflight ten seconds old that would scale from 3 to 5; a test may change it.
    pub(super) fn preflight(&mut self, change: impl FnOnce(&mut Preflight)) {
        let mut preflight = Preflight {
            uid: "u-1".to_owned(),
            action: Some(scale(3, 5)),
            already: false,
            refusals: Vec::new(),
            passed: vec!["not paused".to_owned()],
            labels: BTreeMap::new(),
            beside: Default::default(),
            surroundings: None,
            diff: None,
        };
        change(&mut preflight);
        self.told(Fact::Preflight, "08:29:50", Found::Preflight(Box::new(preflight)));
    }
}

fn said(finding: &Finding) -> String {
    match &finding.stance {
        Stance::Allows { detail } => format!("allows: {detail}"),
        Stance::Refuses { reason } => format!("refuses: {reason}"),
        Stance::NotAsked => "not asked".to_owned(),
    }
}

/// That time of 2026-11-21, a Saturday.
pub(super) fn at(time: &str) -> Moment {
    moment(&format!("2026-11-21T{time}Z"))
}

pub(super) fn moment(text: &str) -> Moment {
    text.parse().expect("a fixture's time is RFC 3339")
}

pub(super) fn span(text: &str) -> Span {
    text.parse().expect("a fixture's duration is humantime")
}

/// The Deployment `namespace/name`.
pub(super) fn target(text: &str) -> Target {
    let (namespace, name) = text.split_once('/').expect("a fixture's target is namespace/name");
    Target { kind: "Deployment".to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(super) fn is(name: &str, value: &str) -> Matcher {
    Matcher { name: name.to_owned(), operator: Operator::Equal, value: value.to_owned(), regex: None }
}

pub(super) fn limit(max: u32, per: &str, by: LimitScope) -> Limit {
    Limit { max, per: span(per), by }
}

/// Series of an answer, by the value of their label `zone`; an empty one means no such label.
pub(super) fn series(samples: &[(&str, f64)]) -> Found {
    let sample = |(zone, value): &(&str, f64)| Sample {
        labels: if zone.is_empty() { Labels::new() } else { labels(&[("zone", zone)]) },
        value: Number(*value),
    };
    Found::Series(samples.iter().map(sample).collect())
}

pub(super) fn scale(from: u32, to: u32) -> Action {
    Action::Scale(scaling::Action { lever: scaling::Lever::Replicas, from, to, wanted: None, set_by: None })
}

pub(super) fn wants_let(name: &str, label: &str) -> Let {
    Let { name: name.to_owned(), query: query("topk(1, x)"), label: label.to_owned() }
}

pub(super) fn condition(is: crate::comparison::Comparison, empty: Empty) -> Condition {
    Condition { query: query("x"), is, empty }
}

/// One rung with one restart.
pub(super) fn rung() -> Rung {
    let step = Step {
        remediation: Remediation::Restart(restart::Written {}),
        target: None,
        mode: None,
        limits: Vec::new(),
        verify: None,
        revert_after: None,
    };
    Rung { steps: vec![step] }
}

/// One rung with a look that changes nothing.
pub(super) fn looking() -> Rung {
    let look = collect_evidence::Written {
        queries: Vec::new(),
        over: span("30m"),
        log_lines: 100,
        max_kib: 64,
        required: false,
    };
    let mut rung = rung();
    rung.steps[0].remediation = Remediation::CollectEvidence(look);
    rung
}

/// What the operator `ann` ordered.
pub(super) fn ordered() -> Option<ByHand> {
    Some(ByHand {
        by: "ann".to_owned(),
        policy: "restart-web".to_owned(),
        reason: String::new(),
        dry_run: false,
        key: "k-1".to_owned(),
    })
}

pub(super) fn waiting(due: &str) -> Phase {
    Phase::Waiting { due: at(due) }
}

pub(super) fn verifying(intent: u64) -> Phase {
    Phase::Verifying {
        intent: Seq(intent),
        since: at("08:25:00"),
        held_since: None,
        last: None,
        open: None,
        due: at("08:31:00"),
    }
}

/// The last ladder of nobody yet, at its first rung.
pub(super) fn last_ladder() -> LastLadder {
    let (rung, episode, ended_at) = (0, Seq(9), at("08:00:00"));
    LastLadder { rung, rung_end: RungEnd::Tried, episode, ended_at, is_counted: false, ineffective_before: 0 }
}

pub(super) fn ruled(verdict: &str) -> Option<LastRuling> {
    Some(LastRuling { seq: Seq(50), verdict: verdict.to_owned(), reasons: Vec::new() })
}

fn policy(name: &str) -> Policy {
    Policy {
        name: name.to_owned(),
        description: String::new(),
        mode: Mode::Enforce,
        priority: 0,
        matchers: vec![is("alertname", "WebDown")],
        unless: Vec::new(),
        wait: Span::ZERO,
        target: TargetSpec::Named {
            kind: "Deployment".to_owned(),
            namespace: template("prod"),
            name: template("web"),
        },
        lets: Vec::new(),
        when: Vec::new(),
        ladder: vec![rung(), rung()],
        guards: Guards {
            cooldown: span("15m"),
            relapse: span("2h"),
            limits: Vec::new(),
            concurrency: 1,
            blast_targets: None,
            blast_unavailable: None,
            in_storm: InStorm::Withhold,
            schedule: Vec::new(),
            approval: span("1h"),
        },
        on_failure: OnFailure { notify: Vec::new(), quarantine_after: 3 },
        place: Place { file: "policies/web.yaml".to_owned(), line: 1 },
    }
}

pub(super) fn episode(id: u64, alert: &str, opened: &str) -> Episode {
    let labels = labels(&[("alertname", alert), ("id", &id.to_string())]);
    Episode {
        id: Seq(id),
        key: EpisodeKey::of(&labels, &[]),
        labels,
        annotations: Labels::new(),
        starts_at: at(opened),
        opened_at: at(opened),
        seen_at: at(opened),
        closed_at: None,
        expires_at: at("23:00:00"),
        fingerprint: None,
        correlation: "c-1".to_owned(),
        by_hand: None,
    }
}

fn case(episode: u64, policy: &str) -> Case {
    Case {
        id: CaseId { episode: Seq(episode), policy: policy.to_owned() },
        book: Digest::default(),
        priority: 0,
        rung: 0,
        step: 0,
        attempts: 0,
        fact_failures: 0,
        acted: false,
        rung_begun: false,
        ended: None,
        acted_on: None,
        also_on: BTreeSet::new(),
        begun_by: None,
        looked: false,
        target: None,
        lets: BTreeMap::new(),
        facts: BTreeMap::new(),
        phase: waiting("08:30:00"),
        last_ruling: None,
        kept: None,
    }
}

/// An intent of episode 7, which is nobody else's.
pub(super) fn intent(id: u64, policy: &str, on: &str) -> Intent {
    Intent {
        id: Seq(id),
        episode: Seq(7),
        policy: policy.to_owned(),
        book: Digest::default(),
        rung: 0,
        step: 0,
        target: target(on),
        uid: "u-1".to_owned(),
        action: scale(3, 5),
        mode: Mode::Enforce,
        at: at("08:29:00"),
        deadline: at("08:39:00"),
        charged: true,
        reverts: None,
        revert_after: None,
        epoch: 3,
        approved_by: None,
        correlation: None,
    }
}

fn template(text: &str) -> Template {
    Template::parse(text).expect("a fixture's template is well-formed")
}

fn query(text: &str) -> Query {
    Query::parse(text).expect("a fixture's query is PromQL")
}

/// A freeze of these namespaces.
pub(super) fn freeze(namespaces: &[&str]) -> Action {
    let wish = freeze_deploys::Wish {
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        lasts: span("2h"),
        reason: None,
        break_glass: "break-glass".to_owned(),
        reach: Vec::new(),
    };
    let exempt = "system:serviceaccount:paramedic:paramedic".to_owned();
    Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze_deploys::Freeze::new(wish, exempt)))
}
