//! The guards. Every one speaks on every decision, none short-circuits, and none can do anything but refuse.
//! Those that judge by facts say [`Stance::NotAsked`] while a guard that judges by state refuses.
//!
//! One file per guard. A guard never reads a clock and never changes anything.

mod approval;
mod beginning;
mod blast_targets;
mod blast_unavailable;
mod clock;
mod cluster;
mod concurrency;
pub(crate) mod conditions;
mod confirmation;
mod cooldown;
pub(crate) mod fact;
mod in_flight;
mod leadership;
pub(crate) mod ledger;
pub(crate) mod lets;
mod limits;
pub(crate) mod pace;
pub(crate) mod pause;
mod precedence;
mod preflight;
pub(crate) mod protection;
mod quarantine;
mod relapse;
pub(crate) mod schedule;
mod settle;
mod storm;
mod target;
mod unless;
mod wait;

#[cfg(test)]
mod fixtures;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use beginning::may_begin;

use crate::action::reached;
use crate::answer::{Found, Preflight};
use crate::book::Book;
use crate::policy::Policy;
use crate::question::Fact;
use crate::reason::Reason;
use crate::state::{Case, Episode, State};
use crate::target::Target;
use crate::time::Moment;

/// The guards by name, in the order in which they speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Guard {
    /// This process leads.
    Leadership,
    /// The clock can be trusted.
    Clock,
    /// Nothing in scope is paused.
    Pause,
    /// The policy is not in quarantine.
    Quarantine,
    /// Not too much fires.
    Storm,
    /// The alert is of our cluster.
    Cluster,
    /// No alert of `unless:` is open.
    Unless,
    /// `for:` has passed.
    For,
    /// A schedule window is open.
    Schedule,
    /// The target can be named, and its values are valid.
    Target,
    /// The target's namespace or labels do not protect it.
    Protection,
    /// Nothing is under way on the target.
    InFlight,
    /// No policy with precedence waits for the target.
    Precedence,
    /// Not too many of this policy's actions are running.
    Concurrency,
    /// The policy has not acted on the target lately.
    Cooldown,
    /// No action of ours on the target ended lately.
    Settle,
    /// A rung is left after a relapse.
    Relapse,
    /// No ceiling is reached.
    Limits,
    /// Effects do not come too fast.
    Pace,
    /// Not too many distinct targets.
    BlastTargets,
    /// Prometheus shows the alert firing.
    Confirmation,
    /// `let:` found its values.
    Lets,
    /// `when:` holds.
    Conditions,
    /// The remediation's own look.
    Preflight,
    /// Not too much of the namespace would be unavailable.
    BlastUnavailable,
    /// What was approved is what would be done.
    Approval,
}

/// What one guard says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which guard.
    pub guard: Guard,
    /// What it says.
    #[serde(flatten)]
    pub stance: Stance,
}

/// A guard's stance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stance", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Stance {
    /// Nothing stands against it; with the numbers, in words.
    Allows {
        /// Such as `2 of 3 used in 1h`; empty where there is nothing to say.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// This stands against it.
    Refuses {
        /// Why.
        reason: Reason,
    },
    /// Facts were not asked for, because a guard that judges by state refuses.
    NotAsked,
}

impl Finding {
    /// The guard allows.
    pub fn allows(guard: Guard, detail: impl Into<String>) -> Self {
        Self { guard, stance: Stance::Allows { detail: detail.into() } }
    }

    /// The guard refuses.
    pub fn refuses(guard: Guard, reason: Reason) -> Self {
        Self { guard, stance: Stance::Refuses { reason } }
    }

    /// Nobody asked.
    pub fn not_asked(guard: Guard) -> Self {
        Self { guard, stance: Stance::NotAsked }
    }

    /// The reason, when it refuses.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.stance {
            Stance::Refuses { reason } => Some(reason),
            Stance::Allows { .. } | Stance::NotAsked => None,
        }
    }
}

/// What guards see.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Everything that happened.
    pub state: &'a State,
    /// The book in force: its settings hold for every policy.
    pub book: &'a Book,
    /// The policy at hand; of an older book while a running ladder finishes.
    pub policy: &'a Policy,
    /// The episode.
    pub episode: &'a Episode,
    /// The case.
    pub case: &'a Case,
    /// The target, or why it cannot be named; `None` while it must be looked up first.
    pub target: Option<Result<&'a Target, &'a Reason>>,
    /// Whether the effective mode is dry-run: ceilings are then counted over the rehearsals.
    pub rehearsal: bool,
    /// Facts that cannot be asked for, such as a query whose template has no value.
    pub unaskable: &'a BTreeMap<Fact, Reason>,
    /// Now.
    pub now: Moment,
}

impl<'a> View<'a> {
    /// The target, once it has been named.
    fn known_target(&self) -> Option<&'a Target> {
        self.target.and_then(Result::ok)
    }

    /// Whether the step at hand changes nothing.
    fn looks_only(&self) -> bool {
        let step = self.policy.ladder.get(self.case.rung).and_then(|rung| rung.steps.get(self.case.step));
        step.is_some_and(|step| step.remediation.looks_only())
    }

    /// What the remediation's look found, fresh or not.
    fn looked(&self) -> Option<&'a Preflight> {
        match self.case.facts.get(&Fact::Preflight).map(|known| &known.found) {
            Some(Found::Preflight(preflight)) => Some(preflight),
            Some(_) | None => None,
        }
    }

    /// The namespaces that would be reached: the target's first, then those of the action, once the remediation has
    /// looked. All that is judged by namespace is judged for each.
    fn namespaces(&self) -> Vec<&'a str> {
        let action = self.looked().and_then(|preflight| preflight.action.as_ref());
        self.known_target().map(|target| reached(target, action)).unwrap_or_default()
    }

    /// The namespaces in which it is counted. What is looked at and reaches none is counted among its like, under the empty
    /// name: a ceiling by namespace holds for everything.
    fn counted_in(&self) -> Vec<&'a str> {
        let reached = self.namespaces();
        if reached.is_empty() && self.looked().is_some() { vec![""] } else { reached }
    }
}

/// What every guard says that judges by state, in order; none short-circuits.
///
/// A guard that needs the target says [`Stance::NotAsked`] until it is known: ask again then.
pub fn judge_state(view: &View<'_>) -> Vec<Finding> {
    let mut findings = vec![
        leadership::judge(view),
        clock::judge(view),
        pause::judge(view),
        quarantine::judge(view),
        storm::judge(view),
        cluster::judge(view),
        unless::judge(view),
        wait::judge(view),
        schedule::judge(view),
        target::judge(view),
        protection::judge(view),
        in_flight::judge(view),
        precedence::judge(view),
        concurrency::judge(view),
        cooldown::judge(view),
        settle::judge(view),
        relapse::judge(view),
    ];
    findings.extend(limits::judge(view));
    findings.push(pace::judge(view));
    findings.push(blast_targets::judge(view));
    findings
}

/// What every guard says that judges by facts, in order, by the facts in the view's case.
///
/// A fact without an answer refuses, unless another fact already does; then it says [`Stance::NotAsked`].
pub fn judge_facts(view: &View<'_>) -> Vec<Finding> {
    let mut findings = vec![confirmation::judge(view)];
    findings.extend(lets::judge(view));
    findings.extend(conditions::judge(view));
    findings.extend(preflight::judge(view));
    findings.push(blast_unavailable::judge(view));
    findings.push(approval::judge(view));
    if findings.iter().all(|finding| finding.reason().is_none()) {
        // Silence must not pass for consent.
        for finding in findings.iter_mut().filter(|finding| finding.stance == Stance::NotAsked) {
            let of_guard = |(guard, _): &&(Guard, &str)| *guard == finding.guard;
            let fact = FACT_GUARDS.iter().find(of_guard).map_or("fact", |(_, fact)| fact).to_owned();
            let reason = Reason::FactUnknown { fact, found: "nobody asked".to_owned() };
            *finding = Finding::refuses(finding.guard, reason);
        }
    }
    findings
}

/// What the guards that judge by facts say while one that judges by state refuses.
pub fn facts_not_asked() -> Vec<Finding> {
    FACT_GUARDS.iter().map(|(guard, _)| Finding::not_asked(*guard)).collect()
}

/// The guards that judge by facts, each with the fact.
const FACT_GUARDS: [(Guard, &str); 6] = [
    (Guard::Confirmation, "confirmation"),
    (Guard::Lets, "let"),
    (Guard::Conditions, "when"),
    (Guard::Preflight, "preflight"),
    (Guard::BlastUnavailable, "preflight"),
    (Guard::Approval, "preflight"),
];

/// Whether every guard allows. One that was not asked does not.
pub fn all_allow(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| matches!(finding.stance, Stance::Allows { .. }))
}

#[cfg(test)]
mod tests {
    use super::fixtures::*;
    use super::*;
    use crate::question::Fact;

    #[test]
    fn a_world_in_which_nothing_is_wrong_is_allowed_by_every_guard() {
        let mut world = World::new();
        assert!(world.view(|view| all_allow(&judge_state(view))), "{:?}", world.each_says(judge_state));
        world.told(Fact::Confirmation, "08:29:50", series(&[("", 1.0)]));
        world.preflight(|_| {});
        assert!(world.view(|view| all_allow(&judge_facts(view))), "{:?}", world.each_says(judge_facts));
    }

    #[test]
    fn none_short_circuits() {
        let mut world = World::new();
        let speaking = |world: &World| -> Vec<Guard> {
            world.view(|view| judge_state(view).iter().map(|finding| finding.guard).collect())
        };
        let calm = speaking(&world);
        world.state.leader = false;
        world.state.clock_stepped = Some(1);
        world.policy.wait = span("2h");
        world.start(40, "scale-web", "prod/web");
        world.charge("restart-web", "prod/web", "08:29:00");
        assert_eq!(speaking(&world), calm);
        let refusing = world.view(|view| judge_state(view).iter().filter_map(Finding::reason).count());
        assert_eq!(refusing, 5);
    }

    #[test]
    fn every_guard_speaks_once_in_order() {
        let world = World::new();
        let spoken: Vec<Guard> = world.view(|view| {
            judge_state(view).into_iter().chain(judge_facts(view)).map(|finding| finding.guard).collect()
        });
        assert_eq!(spoken.len(), 26);
        assert!(spoken.is_sorted(), "{spoken:?}");
        let unasked: Vec<Guard> = facts_not_asked().iter().map(|finding| finding.guard).collect();
        assert_eq!(spoken[20..], unasked);
    }

    #[test]
    fn while_the_target_is_not_known_its_guards_are_not_asked_and_nothing_is_allowed() {
        let mut world = World::new();
        world.target = None;
        let not_asked: Vec<Guard> = world.view(|view| {
            let silent = judge_state(view).into_iter().filter(|finding| finding.stance == Stance::NotAsked);
            silent.map(|finding| finding.guard).collect()
        });
        use Guard::*;
        assert_eq!(not_asked, [Target, Protection, InFlight, Precedence, Cooldown, Settle, Relapse]);
        assert!(!world.view(|view| all_allow(&judge_state(view))));
    }

    #[test]
    fn facts_that_nobody_asked_for_refuse_where_nothing_else_does() {
        let mut world = World::new();
        assert_eq!(
            world.each_says(judge_facts),
            [
                "refuses: confirmation is not known: nobody asked",
                "allows: ",
                "allows: ",
                "refuses: preflight is not known: nobody asked",
                "allows: no ceiling is set",
                "allows: ",
            ]
        );
        world.told(Fact::Confirmation, "08:29:50", series(&[]));
        assert_eq!(world.each_says(judge_facts)[3], "not asked");
    }

    #[test]
    fn after_a_restart_every_guard_says_the_same() {
        use crate::order::PauseScope;
        use crate::policy::{BlastScope, BlastTargets, LimitScope};
        use crate::state::{Efficacy, LastLadder, Pause, State};

        let mut world = World::new();
        let state = &mut world.state;
        state.leader = false;
        state.clock_stepped = Some(90_000);
        let pause = Pause { by: "ann".to_owned(), since: at("08:00:00"), until: None, reason: String::new() };
        state.pauses.insert(PauseScope::Target(target("prod/web")), pause);
        let efficacy = Efficacy { ineffective: 3, quarantined_since: Some(at("08:00:00")) };
        state.efficacy.insert("restart-web".to_owned(), efficacy);
        state.storm.since = Some((at("08:20:00"), "61 new alerts in a minute".to_owned()));
        let last =
            LastLadder { rung: 1, episode: crate::event::Seq(9), ended_at: at("08:00:00"), ..last_ladder() };
        state.last_ladders.insert(("restart-web".to_owned(), target("prod/web")), last);
        world.policy.unless = vec![is("alertname", "Other")];
        world.policy.wait = span("1h");
        world.policy.guards.limits = vec![limit(1, "1h", LimitScope::Target)];
        world.policy.guards.blast_targets =
            Some(BlastTargets { max: 1, within: BlastScope::Namespace, per: span("1h") });
        world.start(40, "restart-web", "prod/web");
        world.other_case(2, "a-policy", 10, "prod/web", waiting("08:30:00"));
        world.ended(39, "scale-web", 5, "prod/web", "08:29:00");
        world.charge("restart-web", "prod/web", "08:29:00");
        world.charge("restart-web", "prod/db", "08:29:30");
        let pace = &world.settings.guards.pace;
        for _ in 0..3 {
            world.state.ledger.pace_ns = pace::advance(pace, world.state.ledger.pace_ns, at("08:29:59"));
        }
        let before = world.each_says(judge_state);
        let refusing = before.iter().filter(|says| says.starts_with("refuses")).count();
        assert_eq!(refusing, 16, "{before:#?}");

        let text = serde_json::to_string(&world.state).expect("a state can be written");
        world.state = serde_json::from_str::<State>(&text).expect("a state is read back");
        assert_eq!(world.each_says(judge_state), before);
    }

    /// Inconsistent states: cases that no index knows, indexes that name no case, times in any order.
    #[test]
    fn no_state_makes_a_guard_panic() {
        let mut world = World::new();
        world.state.cases.clear();
        world.state.episodes.clear();
        world.policy.ladder.clear();
        world.case.rung = usize::MAX;
        world.case.step = usize::MAX;
        for when in ["23:00:00", "00:00:00", "08:30:00"] {
            world.charge("restart-web", "prod/web", when);
        }
        let far = [i64::MIN, 0, i64::MAX].map(Moment::from_unix_ms);
        for now in far {
            for then in far {
                world.now = now;
                world.episode.opened_at = then;
                world.state.storm.openings.push_back(then);
                world.state.ledger.pace_ns = Some(u64::MAX);
                world.ended(41, "scale-web", 2, "prod/web", "23:00:00");
                world.state.ledger.charges.iter_mut().for_each(|charge| charge.at = then);
                world.policy.guards.schedule = vec![crate::policy::Window {
                    days: (0..=255).collect(),
                    from_minute: u16::MAX,
                    to_minute: 0,
                    zone: "Europe/Berlin".to_owned(),
                }];
                world.each_says(judge_state);
                world.each_says(judge_facts);
            }
        }
    }
}
