//! The journal of a backtest: it keeps counts instead of records, so that years of alerts need the memory of an hour.
//! It counts what records say, and must never decide anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use paramedic_policies::action::{Intent, Mode};
use paramedic_policies::alert::{EpisodeKey, Labels};
use paramedic_policies::book::{Book, Digest};
use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::guard::{Finding, Guard};
use paramedic_policies::load::effective;
use paramedic_policies::policy::{InStorm, Policy};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::Wish;
use paramedic_policies::ruling::Ruling;
use paramedic_policies::state::State;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::{Block, Journal, JournalError, Receipt};
use serde_json::Value;

use super::acted::{Acted, parameters};
use super::doubts::Doubt;
use super::names::Names;
use super::open_cases::{OpenCase, OpenCases, OpenEpisode};
use super::peaks::{BLAST_WINDOW, Concurrency, Width};
use super::report::{
    Asked, Busiest, DaySum, NotKnown, PolicySum, Refusal, Report, Storms, TargetSum, WorstAlert,
};
use super::why::Elsewhere;

/// Different targets, and names of alerts, that are counted one by one: far more than any cluster has workloads.
const NAMES_MAX: usize = 20_000;

/// Targets that a report names.
const TARGETS_SHOWN: usize = 20;

/// Alerts that a report names.
const ALERTS_SHOWN: usize = 10;

const DAY_MS: i64 = 86_400_000;

/// Counts so far.
#[derive(Debug)]
pub struct Tally {
    book: Arc<Book>,
    next: Seq,
    open: OpenCases,
    policies: BTreeMap<String, PolicyTally>,
    targets: Names<Target, BTreeMap<String, u64>>,
    days: BTreeMap<i64, (u64, u64)>,
    alerts: Names<String, (u64, u64)>,
    concurrency: Concurrency,
    width: Width,
    recent: VecDeque<Moment>,
    busiest: Option<Busiest>,
    storms: Storms,
    storming: Option<Moment>,
    pub(super) asked: Asked,
    pub(super) looked_up: Asked,
    pub(super) deliveries: u64,
    began: u64,
    ended: u64,
    matched: u64,
    actions: u64,
    looks: u64,
    /// The book that this one is compared with.
    other: Option<Arc<Book>>,
    /// No policy goes further than this by its configuration.
    cap: Mode,
    /// By policy its rungs as they are written, where two books are compared.
    ladders: BTreeMap<String, Value>,
    /// Until when its actions were compared.
    compared_until: Moment,
    acted: Vec<Acted>,
    over: Vec<OpenEpisode>,
}

#[derive(Debug, Default)]
struct PolicyTally {
    episodes: u64,
    acted: u64,
    actions: BTreeMap<&'static str, u64>,
    /// Whether it acted on a target beyond those that are told apart.
    targets_left_out: bool,
    in_storm: u64,
    ruled: u64,
    doubts: BTreeMap<Doubt, u64>,
    refusals: BTreeMap<(Guard, &'static str), u64>,
    not_known: BTreeMap<String, u64>,
}

impl Tally {
    /// Nothing was counted yet under this book.
    pub(super) fn new(book: Arc<Book>, next: Seq) -> Self {
        let of = |name: &String| (name.clone(), PolicyTally::default());
        let policies = book.policies().values().filter(|policy| !policy.is_only_by_hand());
        let policies = policies.map(|policy| of(&policy.name)).collect();
        Self {
            book,
            next,
            open: OpenCases::default(),
            policies,
            targets: Names::new(NAMES_MAX),
            days: BTreeMap::new(),
            alerts: Names::new(NAMES_MAX),
            concurrency: Concurrency::default(),
            width: Width::default(),
            recent: VecDeque::new(),
            busiest: None,
            storms: Storms::default(),
            storming: None,
            asked: Asked::default(),
            looked_up: Asked::default(),
            deliveries: 0,
            began: 0,
            ended: 0,
            matched: 0,
            actions: 0,
            looks: 0,
            other: None,
            cap: Mode::Enforce,
            ladders: BTreeMap::new(),
            compared_until: Moment::default(),
            acted: Vec::new(),
            over: Vec::new(),
        }
    }

    /// The policies whose actions are counted.
    pub(super) fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// From now on each action and each episode that is over is kept, for whoever compares them with those of this book.
    /// The configuration lets no policy of this one go further than `cap`.
    pub(super) fn compare_with(&mut self, other: Arc<Book>, cap: Mode) {
        (self.other, self.cap) = (Some(other), cap);
        let ladder = |policy: &Policy| effective(policy)["spec"]["ladder"].take();
        let policies = self.book.policies().values();
        self.ladders = policies.map(|policy| (policy.name.clone(), ladder(policy))).collect();
    }

    /// What a policy asks the cluster about before it acts.
    pub(super) fn wants(&mut self, episode: Seq, policy: &str, wish: &Wish) {
        if self.other.is_some()
            && let Some(case) = self.open.case(episode, policy)
        {
            case.wish = Some(wish.clone());
        }
    }

    /// The actions until now since the last time that this was asked, where they are kept.
    pub(super) fn take_acted(&mut self, now: Moment) -> Vec<Acted> {
        self.compared_until = now;
        std::mem::take(&mut self.acted)
    }

    /// Actions as if they had been counted.
    #[cfg(test)]
    pub(super) fn note_acted(&mut self, acted: impl Iterator<Item = Acted>) {
        self.acted.extend(acted);
    }

    /// The episodes that are over since the last time that this was asked, where they are kept.
    pub(super) fn take_over(&mut self) -> Vec<OpenEpisode> {
        std::mem::take(&mut self.over)
    }

    /// The episodes that are not over.
    pub(super) fn open(&self) -> &OpenCases {
        &self.open
    }

    fn is_over(&mut self, episode: Option<OpenEpisode>) {
        if self.other.is_some() {
            self.over.extend(episode);
        }
    }

    /// A fact of a case that nobody can know any more.
    pub(super) fn not_known(&mut self, episode: Seq, policy: &str, fact: String) {
        let Some(case) = self.open.case(episode, policy) else { return };
        if case.not_known.insert(fact.clone())
            && let Some(tally) = self.policies.get_mut(policy)
        {
            *tally.not_known.entry(fact).or_default() += 1;
        }
        self.doubt(episode, policy, Doubt::Unjudged);
    }

    /// There may be more behind a case than its rulings say. Of several doubts the first in their order counts.
    pub(super) fn doubt(&mut self, episode: Seq, policy: &str, doubt: Doubt) {
        let Some(case) = self.open.case(episode, policy).filter(|case| case.acted.is_none()) else { return };
        let Some(tally) = self.policies.get_mut(policy) else { return };
        if case.doubt.is_some_and(|before| before <= doubt) {
            return;
        }
        if let Some(count) = case.doubt.and_then(|before| tally.doubts.get_mut(&before)) {
            *count -= 1;
        }
        *tally.doubts.entry(doubt).or_default() += 1;
        case.doubt = Some(doubt);
    }

    fn count(&mut self, record: &Record) {
        let (at, seq) = (record.at, record.seq);
        match &record.event {
            Event::Opened { key, labels, .. } => self.opened(at, seq, *key, labels),
            Event::Closed { episode, .. } => {
                self.ended += 1;
                let over = self.open.closed(*episode);
                self.is_over(over);
            }
            Event::Ruled { ruling } => self.ruled(at, ruling),
            Event::Intended { intent } => self.intended(intent),
            Event::Concluded { case, .. } => {
                let over = self.open.concluded(case.episode, &case.policy);
                self.is_over(over);
            }
            Event::StormBegan { .. } => {
                self.storms.count += 1;
                self.storming = Some(at);
            }
            Event::StormEnded => self.storm_over(at),
            Event::Received { .. }
            | Event::Asked { .. }
            | Event::Told { .. }
            | Event::Held { .. }
            | Event::Ended { .. }
            | Event::Looked { .. }
            | Event::Verified { .. }
            | Event::Advanced { .. }
            | Event::Escalated { .. }
            | Event::Notified { .. }
            | Event::Delivered { .. }
            | Event::Raised { .. }
            | Event::Acknowledged { .. }
            | Event::Approved { .. }
            | Event::Denied { .. }
            | Event::Lapsed { .. }
            | Event::OrderRefused { .. }
            | Event::Cancelled { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Adopted { .. }
            | Event::StormGoesOn { .. }
            | Event::Quarantined { .. }
            | Event::RevertDropped { .. }
            | Event::RevertHeld { .. }
            | Event::RevertOrdered { .. }
            | Event::Reigned { .. }
            | Event::Began { .. }
            | Event::ClockStepped { .. }
            | Event::ClockAccepted { .. } => {}
        }
    }

    fn opened(&mut self, at: Moment, seq: Seq, key: EpisodeKey, labels: &Labels) {
        self.began += 1;
        self.days.entry(at.unix_ms().div_euclid(DAY_MS)).or_default().0 += 1;
        let alert = labels.get("alertname").map_or("-", String::as_str);
        if let Some(counts) = self.alerts.of(alert) {
            counts.0 += 1;
        }
        let book = Arc::clone(&self.book);
        let policies = book.matching(labels);
        if policies.is_empty() {
            return;
        }
        self.matched += 1;
        let mut cases = BTreeMap::new();
        for policy in policies {
            if let Some(tally) = self.policies.get_mut(&policy.name) {
                tally.episodes += 1;
            }
            cases.insert(policy.name.clone(), OpenCase::default());
        }
        let labels = if self.other.is_some() { labels.clone() } else { Labels::new() };
        let alert = alert.to_owned();
        let opened = OpenEpisode { alert, labels, key, opened_at: at, cases, is_closed: false };
        self.open.opened(seq, opened);
    }

    fn ruled(&mut self, at: Moment, ruling: &Ruling) {
        let Some(case) = self.open.case(ruling.episode, &ruling.policy) else { return };
        let Some(tally) = self.policies.get_mut(&ruling.policy) else { return };
        if self.other.is_some() {
            let refusals = ruling.findings.iter().filter_map(refusal);
            let refusals = refusals.map(|(guard, reason)| (guard, reason.name(), reason.until())).collect();
            case.rules(at, refusals, self.compared_until);
        }
        for (guard, reason) in ruling.findings.iter().filter_map(refusal) {
            // What is not known any more is counted by itself.
            if matches!(reason, Reason::FactUnknown { fact, .. } if case.not_known.contains(fact)) {
                continue;
            }
            if case.refused.insert((guard, reason.name())) {
                *tally.refusals.entry((guard, reason.name())).or_default() += 1;
            }
        }
        tally.ruled += u64::from(!case.is_ruled);
        case.is_ruled = true;
        for (_, reason) in ruling.findings.iter().filter_map(refusal) {
            if let Some(doubt) = Doubt::of(reason) {
                self.doubt(ruling.episode, &ruling.policy, doubt);
            }
        }
    }

    fn intended(&mut self, intent: &Intent) {
        if intent.action.looks_only() {
            self.looks += 1;
            return;
        }
        let at = intent.at;
        self.actions += 1;
        self.days.entry(at.unix_ms().div_euclid(DAY_MS)).or_default().1 += 1;
        self.concurrency.begins(at, intent.deadline);
        self.width.hits(at, &intent.target);
        self.note_hour(at);
        let by = self.targets.of(&intent.target);
        let is_left_out = by.is_none();
        if let Some(by) = by {
            *by.entry(intent.policy.clone()).or_default() += 1;
        }
        let (mut first, mut wish, mut doubt) = (false, None, None);
        if let Some(case) = self.open.case(intent.episode, &intent.policy) {
            (first, wish) = (case.acted.is_none(), case.wish.take());
            doubt = case.doubt.take();
            case.acted = case.acted.or(Some(at));
        }
        let is_in_storm = self.storm_wants_approval(&intent.policy);
        if let Some(tally) = self.policies.get_mut(&intent.policy) {
            tally.acted += u64::from(first);
            if let Some(count) = doubt.and_then(|doubt| tally.doubts.get_mut(&doubt)) {
                *count -= 1;
            }
            tally.targets_left_out |= is_left_out;
            *tally.actions.entry(intent.action.name()).or_default() += 1;
            tally.in_storm += u64::from(is_in_storm);
        }
        let Some(episode) = self.open.episode(intent.episode) else { return };
        if let Some(counts) = self.alerts.of(episode.alert.as_str()) {
            counts.1 += 1;
        }
        if let Some(other) = &self.other {
            let elsewhere = match other.policy(&intent.policy) {
                None => Elsewhere::NoPolicy,
                Some(_) if other.matching(&episode.labels).iter().any(|one| one.name == intent.policy) => {
                    Elsewhere::Matched
                }
                Some(_) => Elsewhere::NotMatched,
            };
            let (mode, mode_after) = self.modes_of(intent);
            let ladder = self.ladders.get(&intent.policy).unwrap_or(&Value::Null);
            let parameters = parameters(wish.as_ref(), intent, self.book.settings(), ladder);
            self.acted.push(Acted {
                at,
                policy: intent.policy.clone(),
                remediation: intent.action.name(),
                target: intent.target.clone(),
                alert: episode.alert.clone(),
                key: episode.key,
                opened_at: episode.opened_at,
                elsewhere,
                mode,
                mode_after,
                cap: self.cap,
                parameters,
            });
        }
    }

    /// How far its step may go by its policy and by a storm, and how far the furthest of those after it in its sequence.
    fn modes_of(&self, intent: &Intent) -> (Mode, Mode) {
        let Some(policy) = self.book.policy(&intent.policy) else { return Default::default() };
        let storm = if self.storm_wants_approval(&intent.policy) { Mode::Approve } else { Mode::Enforce };
        let most = policy.mode.min(storm);
        let steps = policy.ladder.get(intent.rung).map(|rung| rung.steps.as_slice()).unwrap_or_default();
        let mut modes = steps.iter().skip(intent.step).map(|step| step.mode.unwrap_or(most).min(most));
        (modes.next().unwrap_or_default(), modes.max().unwrap_or_default())
    }

    fn storm_wants_approval(&self, policy: &str) -> bool {
        let wants = |policy: &Policy| policy.guards.in_storm == InStorm::Approve;
        self.storming.is_some() && self.book.policy(policy).is_some_and(wants)
    }

    fn note_hour(&mut self, at: Moment) {
        while self.recent.front().is_some_and(|first| *first + BLAST_WINDOW <= at) {
            self.recent.pop_front();
        }
        self.recent.push_back(at);
        let actions = self.recent.len() as u64;
        if self.busiest.is_none_or(|busiest| actions > busiest.actions) {
            self.busiest = Some(Busiest { at, actions, within: BLAST_WINDOW });
        }
    }

    fn storm_over(&mut self, at: Moment) {
        if let Some(since) = self.storming.take() {
            let lasted = self.storms.lasted.ms() + at.since(since).ms();
            self.storms.lasted = paramedic_policies::time::Span::from_ms(lasted);
        }
    }

    /// All of it, over this time.
    pub(super) fn report(mut self, from: Moment, until: Moment, mut unknown: Vec<String>) -> Report {
        self.storm_over(until);
        let (days, first_day) = self.days(from, until);
        unknown.extend(first_day.map(|first| {
            format!(
                "which days before {} had alerts: only the last ten years are drawn by day",
                day_of(first)
            )
        }));
        let mut left: BTreeMap<&str, u64> = BTreeMap::new();
        for (policy, _) in self.open.left().filter(|(_, case)| case.acted.is_none()) {
            *left.entry(policy).or_default() += 1;
        }
        let mut targets_of: BTreeMap<&str, u64> = BTreeMap::new();
        for policy in self.targets.all().values().flat_map(BTreeMap::keys) {
            *targets_of.entry(policy).or_default() += 1;
        }
        let mut refusals: BTreeMap<(Guard, &'static str), u64> = BTreeMap::new();
        let (mut policies, mut not_known) = (Vec::new(), Vec::new());
        for (name, tally) in &self.policies {
            for (refusal, cases) in &tally.refusals {
                *refusals.entry(*refusal).or_default() += cases;
            }
            not_known.extend(tally.not_known.iter().map(|(fact, cases)| NotKnown {
                policy: name.clone(),
                fact: fact.clone(),
                cases: *cases,
            }));
            let doubts = |doubt| tally.doubts.get(&doubt).copied().unwrap_or_default();
            policies.push(PolicySum {
                policy: name.clone(),
                mode: self.book.policy(name).map(|policy| policy.mode).unwrap_or_default(),
                episodes: tally.episodes,
                acted: tally.acted,
                open: left.get(name.as_str()).copied().unwrap_or_default(),
                actions: tally.actions.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
                targets: targets_of.get(name.as_str()).copied().unwrap_or_default(),
                targets_left_out: tally.targets_left_out,
                ruled: tally.ruled,
                unjudged: doubts(Doubt::Unjudged),
                foreign: doubts(Doubt::Foreign),
                crowded: doubts(Doubt::Crowded),
                in_storm: tally.in_storm,
                refusals: sorted(&tally.refusals),
            });
        }
        let (targets_count, targets_left_out) = (self.targets.all().len() as u64, self.targets.left_out());
        let mut targets: Vec<TargetSum> = self
            .targets
            .take()
            .into_iter()
            .map(|(target, policies)| TargetSum { target, actions: policies.values().sum(), policies })
            .collect();
        targets.sort_by(|a, b| b.actions.cmp(&a.actions).then_with(|| a.target.cmp(&b.target)));
        targets.truncate(TARGETS_SHOWN);
        let alerts_left_out = self.alerts.left_out();
        let mut alerts: Vec<WorstAlert> = self
            .alerts
            .take()
            .into_iter()
            .filter(|(_, (_, actions))| *actions > 0)
            .map(|(alert, (episodes, actions))| WorstAlert { alert, episodes, actions })
            .collect();
        alerts.sort_by(|a, b| b.actions.cmp(&a.actions).then_with(|| a.alert.cmp(&b.alert)));
        alerts.truncate(ALERTS_SHOWN);
        Report {
            from,
            until,
            deliveries: self.deliveries,
            began: self.began,
            ended: self.ended,
            matched: self.matched,
            actions: self.actions,
            looks: self.looks,
            policies,
            refusals: sorted(&refusals),
            not_known,
            targets,
            targets_count,
            targets_left_out,
            days,
            alerts,
            alerts_left_out,
            concurrency: self.concurrency.peak(),
            blast: self.width.widest(),
            busiest: self.busiest,
            storms: self.storms,
            asked: self.asked,
            looked_up: self.looked_up,
            live: None,
            unknown,
        }
    }

    /// Every day of the time, those without anything included: the last ten years; and the first of these, where there are more.
    fn days(&self, from: Moment, until: Moment) -> (Vec<DaySum>, Option<Moment>) {
        let day = |at: Moment| at.unix_ms().div_euclid(DAY_MS);
        let begin = self.days.keys().next().map_or(day(from), |first| day(from).min(*first));
        let last = day(until).max(self.days.keys().next_back().copied().unwrap_or(begin)).max(begin);
        let first = begin.max(last - DAYS_MAX + 1);
        let sum = |number: i64| {
            let (began, actions) = self.days.get(&number).copied().unwrap_or_default();
            DaySum { day: Moment::from_unix_ms(number * DAY_MS), began, actions }
        };
        let mut days: Vec<DaySum> = (first..=last).map(sum).collect();
        // The time ends before its last day begins where it ends at midnight.
        if days.len() > 1
            && days.last().is_some_and(|last| last.day >= until && last.began + last.actions == 0)
        {
            days.pop();
        }
        (days, (first > begin).then(|| Moment::from_unix_ms(first * DAY_MS)))
    }
}

/// Days that are shown: ten years.
const DAYS_MAX: i64 = 3_660;

fn day_of(at: Moment) -> String {
    at.to_string().get(..10).unwrap_or_default().to_owned()
}

fn refusal(finding: &Finding) -> Option<(Guard, &Reason)> {
    finding.reason().map(|reason| (finding.guard, reason))
}

fn sorted(refusals: &BTreeMap<(Guard, &'static str), u64>) -> Vec<Refusal> {
    let of =
        |(key, cases): (&(Guard, &'static str), &u64)| Refusal { guard: key.0, reason: key.1, cases: *cases };
    let mut refusals: Vec<Refusal> = refusals.iter().map(of).collect();
    refusals
        .sort_by(|a, b| b.cases.cmp(&a.cases).then_with(|| (a.guard, a.reason).cmp(&(b.guard, b.reason))));
    refusals
}

impl Journal for Tally {
    fn append(&mut self, block: &Block) -> Result<Receipt, JournalError> {
        if block.first() != self.next {
            return Err(JournalError {
                tried: "count a block".to_owned(),
                problem: format!("it begins at {}, {} was next", block.first(), self.next),
            });
        }
        block.records.iter().for_each(|record| self.count(record));
        self.next = block.end();
        Ok(Receipt { first: block.first(), end: block.end(), root: Digest::default() })
    }

    fn wants_checkpoint(&self, _now: Moment) -> bool {
        false
    }

    fn checkpoint(&mut self, _state: &State) -> Result<(), JournalError> {
        Ok(())
    }
}
