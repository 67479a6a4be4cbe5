//! What the records leave open: what nobody knows, calls that nobody took, leases that still run. A report that ends
//! without these would tell a reader that all is well.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::action::Mode;
use paramedic_policies::event::{Conclusion, Event, Record, Seq, Verdict};
use paramedic_policies::notifications::Receipt;
use paramedic_policies::order::PauseScope;
use paramedic_policies::ruling;
use paramedic_policies::time::Moment;
use serde::Serialize;

use super::incident::{ActionTold, CaseTold, Incident, Leased};
use super::words::moment;
use crate::cli::story;

/// One open question.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Open {
    /// The record that it hangs on.
    pub seq: Seq,
    /// What is not known, or not done.
    pub what: String,
}

/// All of them, in the order of their records.
pub(super) fn questions(records: &[Record], incidents: &[Incident], now: Moment) -> Vec<Open> {
    let mut open = Vec::new();
    incidents.iter().for_each(|incident| of_incident(incident, &mut open));
    of_calls(records, &mut open);
    of_orders(records, now, &mut open);
    open.sort_by(|a, b| (a.seq, &a.what).cmp(&(b.seq, &b.what)));
    open
}

/// Whether an episode leaves a question that later records may answer.
pub(super) fn is_unfinished(incident: &Incident) -> bool {
    let mut open = Vec::new();
    of_incident(incident, &mut open);
    !open.is_empty()
}

fn of_incident(incident: &Incident, open: &mut Vec<Open>) {
    of_episode(incident, open);
    for case in &incident.cases {
        of_case(case, open);
        case.actions.iter().for_each(|action| of_action(case, action, open));
    }
}

fn of_episode(incident: &Incident, open: &mut Vec<Open>) {
    let mut ask = |what: String| open.push(Open { seq: incident.episode, what });
    let Some(opened) = incident.opened_at else {
        ask(format!(
            "the record that opened episode {} is not there: when it began is not known",
            incident.episode
        ));
        return;
    };
    if incident.closed.is_none() {
        ask(format!("{} has not ended, as far as is known", incident.alert));
    }
    if incident.starts_at.is_some_and(|starts| starts > opened) {
        ask(format!(
            "{} was received before it began by the sender's clock: how long it took to detect is not known",
            incident.alert
        ));
    }
}

fn of_case(case: &CaseTold, open: &mut Vec<Open>) {
    let Some(last) = case.rulings.last() else { return };
    let mut ask = |what: String| open.push(Open { seq: last.seq, what });
    match case.conclusion.map(|ended| ended.how) {
        Some(Conclusion::Exhausted) => ask(format!("{}: no rung of the ladder helped", case.policy)),
        Some(Conclusion::Failed) => ask(format!("{}: the action failed", case.policy)),
        Some(Conclusion::Done) => {
            ask(format!("{}: it was done, and nothing says how to verify that it helped", case.policy));
        }
        Some(Conclusion::TakenBack) => {
            let how = story::concluded(Conclusion::TakenBack);
            ask(format!("{}: {how}", case.policy));
        }
        // What is not known is asked where it happened.
        Some(Conclusion::Unknown) => {}
        Some(
            Conclusion::Helped
            | Conclusion::Rehearsed
            | Conclusion::Already
            | Conclusion::Resolved
            | Conclusion::Withdrawn
            | Conclusion::Denied
            | Conclusion::Refused
            | Conclusion::Cancelled,
        ) => {}
        None => match (last.verdict, &last.answer) {
            (ruling::Verdict::Propose { until }, None) => {
                ask(format!(
                    "proposal {} of {} waits for an answer until {}",
                    last.seq,
                    case.policy,
                    moment(until)
                ));
            }
            (ruling::Verdict::Hold { until }, _) => {
                ask(format!("{} waits, and looks again at {}", case.policy, moment(until)));
            }
            (ruling::Verdict::Act | ruling::Verdict::Withhold | ruling::Verdict::Propose { .. }, _) => {}
        },
    }
}

fn of_action(case: &CaseTold, action: &ActionTold, open: &mut Vec<Open>) {
    let (intent, done) = (action.intent, &action.action);
    let mut ask = |what: String| open.push(Open { seq: intent, what });
    match &action.ended {
        None => ask(format!("intent {intent} ({done} on {}) has not ended", action.target)),
        Some(ended) if ended.outcome == "unknown" => {
            ask(format!(
                "nobody knows whether intent {intent} ({done} on {}) was done: {}",
                action.target, ended.text
            ));
        }
        Some(_) => {}
    }
    match &action.verified {
        Some(verified) if verified.verdict == Verdict::Unknown => {
            ask(format!("nobody knows whether intent {intent} ({done}) helped: {}", verified.seen));
        }
        None if !action.looks.is_empty() && case.conclusion.is_none() => {
            ask(format!("whether intent {intent} ({done}) helped is still being looked at"));
        }
        Some(_) | None => {}
    }
    let Some(lease) = action.lease.as_ref().filter(|_| action.mode != Mode::DryRun) else { return };
    let due = lease.due.map_or("at an unknown time".to_owned(), |due| format!("at {}", moment(due)));
    match &lease.is {
        Leased::Open if action.ended.is_some() => {
            ask(format!("intent {intent} ({done}) is in force and will be taken back {due}"));
        }
        Leased::Held { until, why } => ask(format!(
            "taking back intent {intent} ({done}) was due {due} and waits until {}: {why}",
            moment(*until)
        )),
        Leased::Failed { by, what } => {
            ask(format!("taking back intent {intent} ({done}) by intent {by} did not end well: {what}"));
        }
        Leased::Dropped { why, into: None } => {
            ask(format!("intent {intent} ({done}) will not be taken back: {why}"));
        }
        Leased::Open | Leased::Nothing | Leased::Ended { .. } | Leased::Dropped { into: Some(_), .. } => {}
    }
}

/// Calls that nobody took, and messages that did not arrive.
fn of_calls(records: &[Record], open: &mut Vec<Open>) {
    let mut taken: BTreeSet<Seq> = BTreeSet::new();
    let mut notices = BTreeMap::new();
    let mut messages: BTreeMap<(Seq, &str), Option<&str>> = BTreeMap::new();
    for record in records {
        match &record.event {
            Event::Acknowledged { page, .. } => {
                taken.insert(*page);
            }
            Event::Notified { notice } => {
                notices.insert(record.seq, &**notice);
            }
            Event::Delivered { notice, receipt } => {
                let Some(notice) = notices.get(notice) else { continue };
                for page in &notice.pages {
                    let told = messages.entry((*page, &notice.receiver)).or_default();
                    *told = match receipt {
                        Receipt::Taken { .. } => None,
                        Receipt::Failed { what, .. } => Some(what),
                    };
                }
            }
            _ => {}
        }
    }
    for record in records {
        let Event::Escalated { why, notify, .. } = &record.event else { continue };
        if taken.contains(&record.seq) {
            continue;
        }
        let whom = if notify.is_empty() { "nobody is named".to_owned() } else { notify.join(", ") };
        let what = format!("nobody acknowledged call {} ({whom}): {why}", record.seq);
        open.push(Open { seq: record.seq, what });
    }
    for ((page, receiver), failed) in messages {
        if let Some(failed) = failed {
            let what = format!("{receiver} was not told of call {page}: {failed}");
            open.push(Open { seq: page, what });
        }
    }
}

/// What holds the whole daemon, or a part of it, and has not been lifted.
fn of_orders(records: &[Record], now: Moment, open: &mut Vec<Open>) {
    let mut paused: BTreeMap<&PauseScope, (Seq, String)> = BTreeMap::new();
    let mut quarantined: BTreeMap<&str, (Seq, String)> = BTreeMap::new();
    let (mut storm, mut clock) = (None, None);
    for Record { seq, event, .. } in records {
        match event {
            Event::Paused { scope, by, until, .. } => {
                if until.is_some_and(|until| until <= now) {
                    paused.remove(scope);
                    continue;
                }
                let end =
                    until.map_or("until resumed".to_owned(), |until| format!("until {}", moment(until)));
                paused.insert(scope, (*seq, format!("{scope} is paused by {by} {end}")));
            }
            Event::Resumed { scope, .. } => {
                paused.remove(scope);
                if let PauseScope::Policy(policy) = scope {
                    quarantined.remove(policy.as_str());
                }
            }
            Event::Quarantined { policy, rounds } => {
                let what = format!("{policy} is in quarantine after {rounds} rounds that did not help");
                quarantined.insert(policy, (*seq, what));
            }
            Event::StormBegan { why } => storm = Some((*seq, format!("the storm is not over: {why}"))),
            Event::StormEnded => storm = None,
            Event::ClockStepped { .. } => {
                clock = Some((*seq, "the wall clock moved, and nobody has accepted it".to_owned()));
            }
            Event::ClockAccepted { .. } => clock = None,
            _ => {}
        }
    }
    let all = paused.into_values().chain(quarantined.into_values()).chain(storm).chain(clock);
    open.extend(all.map(|(seq, what)| Open { seq, what }));
}

#[cfg(test)]
mod tests {
    use super::super::document::{Tone, standing};
    use super::super::fold::fold;
    use super::*;
    use crate::cli::tests::fixture;

    /// Nobody knows whether it helped, and a person was called for it.
    #[test]
    fn what_was_taken_back_before_it_was_verified_stays_a_question() {
        let mut records = fixture::journal().records;
        for record in &mut records {
            if let Event::Concluded { conclusion, .. } = &mut record.event {
                *conclusion = Conclusion::TakenBack;
            }
        }
        let incidents = fold(&records).incidents;
        let now = records.last().expect("it has some").at;
        let asked: Vec<String> =
            questions(&records, &incidents, now).into_iter().map(|open| open.what).collect();
        let words = "cart-errors: its time was over, or a person wanted it back, before anybody knew whether it helped";
        assert!(asked.iter().any(|what| what == words), "{asked:?}");
        let case = incidents.iter().flat_map(|incident| &incident.cases).next().expect("a case");
        assert_eq!(standing(case).1, Tone::Doubt);
    }
}
