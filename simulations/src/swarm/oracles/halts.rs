//! What is under way hears that it is stopped: after a pause that covers it was answered, after another process took the lead,
//! and while the journal is broken, no effect makes one more request. Only its first one may leave: that was on its way.

use std::collections::BTreeMap;

use paramedic_policies::action::Intent;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::time::{Moment, Span};

use super::super::tape::{Ordered, Request};
use super::{Evidence, stamped};

/// From an order until its block is handed to the disk, and a drifting clock.
const SLACK: Span = Span::from_secs(20);

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut sent: BTreeMap<Seq, Vec<&Request>> = BTreeMap::new();
    for request in &evidence.tape.requests {
        if let Some(seq) = stamped(request) {
            sent.entry(seq).or_default().push(request);
        }
    }
    for (seq, mut requests) in sent {
        let Some(intent) = evidence.intents.get(&seq) else { continue };
        requests.sort_by_key(|request| request.sent_at);
        let Some((first, later)) = requests.split_first() else { continue };
        for request in later {
            if let Some(why) = stopped(evidence, intent, first.sent_at, request.sent_at) {
                let (what, on, at) = (&request.what, &request.on, request.sent_at);
                says.push(format!("{why}, and intent {seq} sent `{what}` on {on} at {at}"));
            }
        }
    }
}

/// What had stopped an intent, of which the first request had left, before another one left at that moment.
fn stopped(evidence: &Evidence<'_>, intent: &Intent, first: Moment, at: Moment) -> Option<String> {
    let tape = evidence.tape;
    if let Some(lost) = tape.reigns.iter().find(|one| !one.leads && first < one.at && one.at < at) {
        return Some(format!("another process led since {}", lost.at));
    }
    let within = |(from, to): &&(Moment, Option<Moment>)| *from < at && to.is_some_and(|to| at < to);
    if let Some((from, _)) = tape.broken.iter().find(within) {
        return Some(format!("the journal was broken since {from}"));
    }
    let pauses = tape.orders.iter().filter(|order| order.refusal.is_none() && order.at < at);
    pauses.into_iter().find_map(|order| paused(evidence, intent, order, at))
}

fn paused(evidence: &Evidence<'_>, intent: &Intent, order: &Ordered, at: Moment) -> Option<String> {
    let Command::Pause { scope, until, .. } = &order.command else { return None };
    let covers = match scope {
        PauseScope::Everything => true,
        PauseScope::Namespace(name) => intent.namespaces().iter().any(|one| one == name),
        PauseScope::Policy(name) => intent.policy == *name,
        PauseScope::Target(target) => intent.target == *target,
    };
    // By the wall clock of the process.
    let bent = evidence.bent(evidence.plan.begins, at);
    let is_over = until.is_some_and(|until| until < at + bent + SLACK);
    // Also what was ordered and whose answer was lost with the process.
    let is_otherwise = evidence.records.iter().filter(|record| record.seq >= order.end).any(|record| {
        let what = match &record.event {
            Event::Resumed { scope, .. } | Event::Paused { scope, .. } => scope,
            _ => return false,
        };
        what == scope && evidence.handed(record.seq) < at + SLACK
    });
    (covers && !is_over && !is_otherwise).then(|| format!("{scope} was paused at {}", order.at))
}
