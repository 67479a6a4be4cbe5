//! A tighter limit never turns a refusal into an action: at each single decision, from one and the same state, lowering
//! a number that limits, or lengthening a time that does, lets nothing happen that did not happen before.

use paramedic_policies::policy::{Limit, LimitScope};
use paramedic_policies::settings::Settings;
use paramedic_policies::time::Span;
use proptest::prelude::*;

use crate::draft::{Draft, PolicyDraft, draft, longer};
use crate::life::{breach, law};
use crate::refusals::{Tally, never_goes_further};
use crate::turns::history;

/// A number that limits, to be tighter.
///
/// Deliberately absent: the length of `pace.every`. What the ledger keeps of the pace is the moment at which it will be
/// even, in the lengths of the pace that made it. It is made anew when a book with another pace is adopted, and the other
/// book of this law was never adopted.
#[derive(Debug, Clone, Copy)]
enum Tighter {
    LimitMax,
    LimitPer,
    LimitBy,
    Concurrency,
    TargetsMax,
    TargetsPer,
    TargetsWithin,
    Unavailable,
    Cooldown,
    Relapse,
    For,
    StormAlerts,
    StormShare,
    StormKnown,
    PaceBurst,
    Settle,
    FactsAge,
    Schedule,
}

fn some() -> impl Strategy<Value = Vec<Tighter>> {
    use Tighter::*;
    prop::sample::subsequence(
        vec![
            LimitMax,
            LimitPer,
            LimitBy,
            Concurrency,
            TargetsMax,
            TargetsPer,
            TargetsWithin,
            Unavailable,
            Cooldown,
            Relapse,
            For,
            StormAlerts,
            StormShare,
            StormKnown,
            PaceBurst,
            Settle,
            FactsAge,
            Schedule,
        ],
        1..8,
    )
}

fn every_limit(draft: &mut Draft, tighten: impl Fn(&mut Limit)) {
    draft.settings.guards.limits.iter_mut().for_each(&tighten);
    for policy in &mut draft.policies {
        policy.limits.iter_mut().for_each(&tighten);
        policy.ladder.iter_mut().flatten().flat_map(|step| &mut step.limits).for_each(&tighten);
    }
}

fn each(draft: &mut Draft, tighten: impl Fn(&mut PolicyDraft)) {
    draft.policies.iter_mut().for_each(tighten);
}

fn doubled(span: Span) -> Span {
    longer(span, longer(span, Span::from_mins(2)))
}

/// The draft with one kind of number tightened.
fn tightened(mut draft: Draft, what: Tighter) -> Draft {
    let all = &mut draft;
    let globals = |draft: &mut Draft, tighten: &dyn Fn(&mut Settings)| tighten(&mut draft.settings);
    match what {
        Tighter::LimitMax => every_limit(all, |limit| limit.max = limit.max.saturating_sub(1).max(1)),
        Tighter::LimitPer => every_limit(all, |limit| limit.per = doubled(limit.per)),
        Tighter::LimitBy => every_limit(all, |limit| {
            limit.by = match limit.by {
                LimitScope::Target => LimitScope::Policy,
                LimitScope::Policy | LimitScope::Namespace | LimitScope::Global => LimitScope::Global,
            };
        }),
        Tighter::Concurrency => each(all, |policy| policy.concurrency = (policy.concurrency / 2).max(1)),
        Tighter::TargetsMax => each(all, |policy| {
            policy.targets = policy.targets.map(|(max, all, per)| (max.saturating_sub(1).max(1), all, per));
        }),
        Tighter::TargetsPer => each(all, |policy| {
            policy.targets = policy.targets.map(|(max, all, per)| (max, all, doubled(per)));
        }),
        Tighter::TargetsWithin => {
            each(all, |policy| policy.targets = policy.targets.map(|(max, _, per)| (max, true, per)));
        }
        Tighter::Unavailable => {
            each(all, |policy| policy.unavailable = policy.unavailable.map(|percent| percent / 2));
        }
        Tighter::Cooldown => each(all, |policy| policy.cooldown = doubled(policy.cooldown)),
        Tighter::Relapse => each(all, |policy| policy.relapse = doubled(policy.relapse)),
        Tighter::For => each(all, |policy| policy.wait = doubled(policy.wait)),
        Tighter::StormAlerts => globals(all, &|settings| settings.guards.storm.alerts_per_minute = 1),
        Tighter::StormShare => globals(all, &|settings| {
            let percent = &mut settings.guards.storm.targets_firing_percent;
            *percent = (*percent / 3).max(1);
        }),
        Tighter::StormKnown => globals(all, &|settings| settings.guards.storm.targets_known_min = 1),
        Tighter::PaceBurst => globals(all, &|settings| {
            let burst = &mut settings.guards.pace.burst;
            *burst = (*burst).min(1);
        }),
        Tighter::Settle => globals(all, &|settings| settings.guards.settle = doubled(settings.guards.settle)),
        Tighter::FactsAge => globals(all, &|settings| settings.facts.max_age = Span::from_secs(1)),
        Tighter::Schedule => each(all, |policy| {
            policy.schedule.iter_mut().for_each(|window| {
                let is_weekend = window.starts_with("Sat");
                *window =
                    if is_weekend { "Sat 09:00-09:10 UTC" } else { "Mon-Fri 09:00-09:10 Europe/Berlin" };
            });
        }),
    }
    draft
}

#[test]
fn a_tighter_limit_never_turns_a_refusal_into_an_action() {
    let tally = Tally::default();
    law(
        96,
        (draft(3), some(), prop::bool::weighted(0.3), history(30)),
        |(less, what, under_tighter, turns)| {
            let more: Vec<Draft> = what.iter().map(|what| tightened(less.clone(), *what)).collect();
            never_goes_further(&less, &more, under_tighter, &turns, &tally)
        },
    );
    tally.check();
}

#[test]
fn a_limit_that_loosens_is_found() {
    // Planted: the book with the larger number is taken for the tighter one.
    let tally = Tally::default();
    let why = breach(96, (draft(3), some(), history(30)), |(less, what, turns)| {
        what.iter().try_for_each(|what| {
            let more = tightened(less.clone(), *what);
            never_goes_further(&more, std::slice::from_ref(&less), false, &turns, &tally)
        })
    });
    assert!(why.contains("with more it"), "{why}");
}
