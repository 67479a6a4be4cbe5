//! The order of independent alerts does not matter: of groups of alerts that share no target, no window and no storm
//! counter, each episode has the same rulings and the same actions at the same times, whichever group comes first, in
//! one delivery or in several, and whosever questions are answered first.

use std::collections::BTreeMap;

use paramedic_policies::event::{Event, Seq};
use paramedic_policies::guard::{Finding, Stance};
use paramedic_policies::policy::{Limit, LimitScope};
use paramedic_policies::settings::Pace;
use paramedic_policies::time::{Moment, Span};
use proptest::prelude::*;

use crate::draft::{Draft, draft};
use crate::life::{Held, Life, breach, delivery, law};
use crate::turns::{Ending, How};
use crate::world::alert_on;

const GROUPS: usize = 3;

/// What comes at one moment for one group: which of its alerts fire or are resolved, and how all is answered.
type Share = (Vec<(u8, bool)>, How, Ending);

/// One moment: a share for each group, and how long nothing comes after it.
#[derive(Debug, Clone)]
struct Tick {
    shares: Vec<Share>,
    pass: u16,
    /// The order of groups in the second life.
    order: Vec<usize>,
    /// Whether the second life has them in one delivery.
    together: bool,
}

fn tick() -> impl Strategy<Value = Tick> {
    let how = prop_oneof![6 => Just(How::Sick), 2 => Just(How::Healed), 1 => Just(How::Failed), 1 => Just(How::Down)];
    let ending = prop_oneof![5 => Just(Ending::Done), 1 => Just(Ending::Failed), 1 => Just(Ending::Unknown)];
    let share = (prop::collection::vec((0..4_u8, prop::bool::weighted(0.85)), 0..3), how, ending);
    let order = Just((0..GROUPS).collect::<Vec<_>>()).prop_shuffle();
    (prop::collection::vec(share, GROUPS), 0..900_u16, order, any::<bool>())
        .prop_map(|(shares, pass, order, together)| Tick { shares, pass, order, together })
}

/// A policy for each group, with nothing that they share.
fn independent(mut draft: Draft) -> Draft {
    let own = |by: &mut LimitScope| *by = (*by).min(LimitScope::Namespace);
    while draft.policies.len() < GROUPS {
        draft.policies.push(draft.policies[0].clone());
    }
    for (group, policy) in draft.policies.iter_mut().enumerate() {
        policy.name = format!("p{group}");
        policy.alert = format!("A{group}");
        policy.unless.iter_mut().for_each(|matcher| *matcher = format!("alertname=\"Noise{group}\""));
        policy.limits.iter_mut().for_each(|limit| own(&mut limit.by));
        policy.targets = policy.targets.map(|(max, _, per)| (max, false, per));
        for step in policy.ladder.iter_mut().flatten() {
            step.limits.iter_mut().for_each(|limit| own(&mut limit.by));
            if step.does.starts_with("freeze") {
                step.does = "freezeDeploys: {for: 10m}";
            }
        }
    }
    let guards = &mut draft.settings.guards;
    guards.limits.retain(|limit| limit.by < LimitScope::Global);
    guards.pace = Pace { every: Span::ZERO, burst: 1 };
    guards.storm.alerts_per_minute = u32::MAX;
    guards.storm.targets_firing_percent = 100;
    draft
}

fn alerts(group: usize, share: &Share, now: Moment) -> Vec<paramedic_policies::alert::Alert> {
    let one = |(which, fires): &(u8, bool)| {
        let name = if *which == 3 { format!("Noise{group}") } else { format!("A{group}") };
        let deployment = if which % 2 == 0 { "web" } else { "api" };
        alert_on(&name, &format!("ns{group}"), deployment, &which.to_string(), now, *fires)
    };
    share.0.iter().map(one).collect()
}

/// Answers one thing of this group, the oldest first; says whether there was any.
fn answer_one(life: &mut Life, group: usize, share: &Share) -> Result<bool, TestCaseError> {
    let policy = format!("p{group}");
    let question = life.state.questions.values().find(|question| question.case.policy == policy);
    let input = match question {
        Some(question) => Some(life.answer(question, share.1)),
        None => {
            let flights = life.state.in_flight.values();
            let intent = flights.map(|flight| &flight.intent).find(|intent| intent.policy == policy);
            let intent = intent.map(|intent| intent.id);
            intent.and_then(|intent| life.end(intent, share.2))
        }
    };
    match input {
        Some(input) => life.feed(&input, &mut |_| Ok(())).map(|()| true),
        None => Ok(false),
    }
}

/// Group by group, each in a delivery of its own and answered to its end.
fn one_by_one(life: &mut Life, tick: &Tick) -> Held {
    for (group, share) in tick.shares.iter().enumerate() {
        life.feed(&delivery(alerts(group, share, life.now), 0), &mut |_| Ok(()))?;
    }
    for (group, share) in tick.shares.iter().enumerate() {
        for _ in 0..40 {
            if !answer_one(life, group, share)? {
                break;
            }
        }
    }
    life.pass(Span::from_secs(u64::from(tick.pass)), &mut |_| Ok(()))
}

/// In another order, perhaps in one delivery, and answered in turns.
fn mixed(life: &mut Life, tick: &Tick) -> Held {
    let now = life.now;
    let each = tick.order.iter().map(|group| alerts(*group, &tick.shares[*group], now));
    let deliveries: Vec<_> = if tick.together { vec![each.flatten().collect()] } else { each.collect() };
    for alerts in deliveries {
        life.feed(&delivery(alerts, 0), &mut |_| Ok(()))?;
    }
    for _ in 0..40 {
        for group in &tick.order {
            answer_one(life, *group, &tick.shares[*group])?;
        }
    }
    life.pass(Span::from_secs(u64::from(tick.pass)), &mut |_| Ok(()))
}

fn says(finding: &Finding) -> String {
    let stance = match &finding.stance {
        Stance::Allows { .. } => "allows",
        Stance::Refuses { reason } => reason.name(),
        Stance::NotAsked => "not asked",
    };
    format!("{:?} {stance}", finding.guard)
}

/// What became of each episode, without the ids that the order of records makes: by its labels and how often it opened.
fn fates(records: &[(Moment, Event)]) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<Seq, String> = BTreeMap::new();
    let mut intents: BTreeMap<Seq, Seq> = BTreeMap::new();
    let mut fates: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (index, (at, event)) in records.iter().enumerate() {
        let seq = Seq(index as u64 + 1);
        let told = match event {
            Event::Opened { labels, .. } => {
                let same =
                    format!("{} in {}, pod {}", labels["alertname"], labels["namespace"], labels["pod"]);
                let before = names.values().filter(|name| name.starts_with(&same)).count();
                names.insert(seq, format!("{same}, opening {before}"));
                Some((seq, "opens".to_owned()))
            }
            Event::Closed { episode, why, .. } => Some((*episode, format!("closes: {why:?}"))),
            Event::Ruled { ruling } => {
                let findings: Vec<String> = ruling.findings.iter().map(says).collect();
                let (verdict, action) = (&ruling.verdict, &ruling.action);
                Some((ruling.episode, format!("{verdict:?} {action:?}: {}", findings.join(", "))))
            }
            Event::Held { case, until } => Some((case.episode, format!("held until {until:?}"))),
            Event::Intended { intent } => {
                intents.insert(seq, intent.episode);
                Some((intent.episode, format!("intends {} on {}", intent.action, intent.target)))
            }
            Event::Ended { intent, outcome } => Some((intents[intent], format!("ends: {outcome:?}"))),
            Event::Verified { intent, verdict, .. } => Some((intents[intent], format!("{verdict:?}"))),
            Event::Advanced { case, rung, step, why, .. } => {
                Some((case.episode, format!("goes on at {rung}.{step}: {why:?}")))
            }
            Event::Concluded { case, conclusion } => Some((case.episode, format!("rests: {conclusion:?}"))),
            _ => None,
        };
        if let Some((episode, told)) = told {
            fates.entry(names[&episode].clone()).or_default().push(format!("{at} {told}"));
        }
    }
    fates
}

/// Two lives with the same alerts in another order: each episode has the same fate. How many acted.
fn same_fates(book: &Draft, ticks: &[Tick]) -> Result<usize, TestCaseError> {
    let (mut first, mut second) = (Life::new(&[book])?, Life::new(&[book])?);
    ticks.iter().try_for_each(|tick| one_by_one(&mut first, tick))?;
    ticks.iter().try_for_each(|tick| mixed(&mut second, tick))?;
    let (first, second) = (fates(&first.records), fates(&second.records));
    let mut acted = 0;
    for (episode, fate) in &first {
        let other = second.get(episode).map_or(&[][..], Vec::as_slice);
        let apart = fate.iter().zip(other).position(|(one, other)| one != other);
        let apart = apart.unwrap_or(fate.len().min(other.len()));
        prop_assert_eq!(other.get(apart), fate.get(apart), "{} has another fate in another order", episode);
        acted += usize::from(fate.iter().any(|told| told.contains("intends")));
    }
    prop_assert_eq!(first.len(), second.len(), "there are other episodes");
    Ok(acted)
}

#[test]
fn the_order_of_independent_alerts_does_not_matter() {
    let acted = std::cell::Cell::new(0);
    let book = draft(GROUPS).prop_map(independent);
    law(64, (book, prop::collection::vec(tick(), 1..12)), |(book, ticks)| {
        acted.set(acted.get() + same_fates(&book, &ticks)?);
        Ok(())
    });
    assert!(acted.get() > 0, "nothing was done at all");
}

#[test]
fn alerts_that_share_a_window_are_found_not_to_be_independent() {
    // Planted: one action an hour over all groups, so that whoever comes first has it.
    let shared = |mut draft: Draft| {
        let limit = Limit { max: 1, per: Span::from_hours(1), by: LimitScope::Global };
        draft.settings.guards.limits.push(limit);
        draft
    };
    let book = draft(GROUPS).prop_map(independent).prop_map(shared);
    let some = (book, prop::collection::vec(tick(), 1..12));
    let why = breach(256, some, |(book, ticks)| same_fates(&book, &ticks).map(|_| ()));
    assert!(why.contains("has another fate in another order"), "{why}");
}
