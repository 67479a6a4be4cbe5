//! What people said, by their own log: what was denied is not done, what is paused does not begin, and what needs an
//! approval had one.

use std::collections::BTreeMap;

use paramedic_policies::action::{Intent, Mode};
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::time::{Moment, Span};

use super::Evidence;

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    denied(evidence, says);
    unapproved(evidence, says);
    paused(evidence, says);
}

fn followed<'a>(evidence: &'a Evidence<'_>) -> impl Iterator<Item = (&'a Command, Seq)> {
    let followed = evidence.tape.orders.iter().filter(|order| order.refusal.is_none());
    followed.map(|order| (&order.command, order.end))
}

fn denied(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    for (command, end) in followed(evidence) {
        let Command::Deny { proposal, .. } = command else { continue };
        let Some(Event::Ruled { ruling }) = evidence.record(*proposal).map(|record| &record.event) else {
            says.push(format!("proposal {proposal} was denied and is not on the disk"));
            continue;
        };
        let is_it = |intent: &&Intent| {
            intent.id >= end
                && intent.reverts.is_none()
                && (intent.episode, &intent.policy) == (ruling.episode, &ruling.policy)
        };
        // The same episode may be decided anew under another book.
        let adopted_after = |intent: &Intent| {
            let between = evidence.records.iter().filter(|one| end <= one.seq && one.seq < intent.id);
            between.clone().any(|one| matches!(one.event, Event::Adopted { .. }))
        };
        for intent in evidence.intents.values().filter(is_it).filter(|intent| !adopted_after(intent)) {
            says.push(format!("proposal {proposal} was denied, and intent {} does it", intent.id));
        }
    }
}

fn unapproved(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    for intent in evidence.made().into_iter().filter(|intent| intent.reverts.is_none()) {
        let needs = evidence.plan.policy(&intent.policy).is_some_and(|policy| policy.mode == Mode::Approve);
        let is_it = |command: &Command| {
            let Command::Approve { proposal, .. } = command else { return false };
            match evidence.record(*proposal).map(|record| &record.event) {
                Some(Event::Ruled { ruling }) => {
                    (ruling.episode, &ruling.policy, ruling.rung, ruling.step)
                        == (intent.episode, &intent.policy, intent.rung, intent.step)
                }
                _ => false,
            }
        };
        // Also what was ordered and whose answer was lost with the process.
        let recorded = || {
            evidence.records.iter().take_while(|record| record.seq < intent.id).any(|record| {
                match &record.event {
                    Event::Approved { proposal, .. } => {
                        is_it(&Command::Approve { proposal: *proposal, comment: String::new() })
                    }
                    _ => false,
                }
            })
        };
        if needs && !followed(evidence).any(|(command, ..)| is_it(command)) && !recorded() {
            says.push(format!("intent {} of {} was made, and nobody approved it", intent.id, intent.policy));
        }
    }
}

fn paused(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut pauses: BTreeMap<PauseScope, (Seq, Option<Moment>)> = BTreeMap::new();
    for (command, end) in followed(evidence) {
        match command {
            Command::Pause { scope, until, .. } => {
                pauses.insert(scope.clone(), (end, *until));
            }
            Command::Resume { scope } => {
                if let Some((from, until)) = pauses.remove(scope) {
                    check(evidence, scope, (from, Some(end)), until, says);
                }
            }
            Command::Approve { .. }
            | Command::Deny { .. }
            | Command::Acknowledge { .. }
            | Command::AcceptClock
            | Command::Run { .. }
            | Command::Cancel { .. }
            | Command::Undo { .. } => {}
        }
    }
    for (scope, (from, until)) in pauses {
        check(evidence, &scope, (from, None), until, says);
    }
}

fn check(
    evidence: &Evidence<'_>,
    scope: &PauseScope,
    (from, to): (Seq, Option<Seq>),
    until: Option<Moment>,
    says: &mut Vec<String>,
) {
    let covers = |intent: &Intent| match scope {
        PauseScope::Everything => true,
        PauseScope::Namespace(name) => intent.target.namespace == *name,
        PauseScope::Policy(name) => intent.policy == *name,
        PauseScope::Target(target) => intent.target == *target,
    };
    // A resume that reached the disk without its answer ends a pause too.
    let resumed = evidence
        .records
        .iter()
        .filter(|record| record.seq >= from)
        .find(|record| matches!(&record.event, Event::Resumed { scope: what, .. } if what == scope));
    let to = to.or(resumed.map(|record| record.seq));
    for intent in evidence.made() {
        let in_time = until.is_none_or(|until| intent.at + Span::from_secs(1) < until);
        if from <= intent.id && to.is_none_or(|to| intent.id < to) && in_time && covers(intent) {
            says.push(format!("{scope} was paused, and intent {} on {} was made", intent.id, intent.target));
        }
    }
}
