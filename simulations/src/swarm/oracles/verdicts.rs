//! One episode for each alert at a time, and in it one way for each policy that matches: looked at, with at most one
//! intent under way and one conclusion, and nothing after that. No other policy ever takes part.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::alert::Labels;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::state::CaseId;

use super::Evidence;

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    one_episode(evidence, says);
    let mut wanted: BTreeSet<CaseId> = BTreeSet::new();
    let mut concluded: BTreeSet<CaseId> = BTreeSet::new();
    let mut looked: BTreeSet<CaseId> = BTreeSet::new();
    let mut flying: BTreeMap<CaseId, Seq> = BTreeMap::new();
    let mut adopted_since: BTreeSet<CaseId> = BTreeSet::new();
    for record in evidence.records {
        let seq = record.seq;
        match &record.event {
            Event::Opened { labels, by_hand: None, .. } => {
                let of =
                    |policy: &super::super::plan::Drawn| CaseId { episode: seq, policy: policy.name.clone() };
                let matching = evidence.plan.policies.iter();
                let matching = matching
                    .filter(|policy| labels.get("alertname").is_some_and(|name| name == policy.alert));
                wanted.extend(matching.map(of));
            }
            Event::Ruled { ruling } => {
                let id = CaseId { episode: ruling.episode, policy: ruling.policy.clone() };
                if !wanted.contains(&id) {
                    says.push(format!("record {seq} rules on {id}, which does not match"));
                }
                if concluded.contains(&id) && !adopted_since.contains(&id) {
                    says.push(format!("record {seq} rules on {id}, which was concluded"));
                }
                looked.insert(id);
            }
            Event::Intended { intent } if intent.reverts.is_none() => {
                let id = CaseId::of(intent);
                if let Some(other) = flying.insert(id.clone(), seq) {
                    says.push(format!("intent {seq} of {id} begins while intent {other} has not ended"));
                }
            }
            Event::Ended { intent, .. } => flying.retain(|_, flight| flight != intent),
            Event::Advanced { case, .. } => {
                // What lasted its time, while its alert is still open, is decided anew.
                concluded.remove(case);
                looked.insert(case.clone());
            }
            Event::Concluded { case, .. } => {
                looked.insert(case.clone());
                if !concluded.insert(case.clone()) && !adopted_since.contains(case) {
                    says.push(format!("record {seq} concludes {case} a second time"));
                }
            }
            // A book that is adopted begins anew what it does not carry over.
            Event::Adopted { .. } => adopted_since.extend(concluded.iter().cloned()),
            _ => {}
        }
    }
    for id in wanted.difference(&looked) {
        says.push(format!("{id} matches and was never looked at"));
    }
}

fn one_episode(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut sent: BTreeSet<Labels> = BTreeSet::new();
    for one in &evidence.tape.acknowledged {
        sent.extend(one.alerts.iter().map(|alert| evidence.identity(&alert.labels)));
    }
    let mut open: BTreeMap<Labels, Seq> = BTreeMap::new();
    for record in evidence.records {
        match &record.event {
            Event::Opened { labels, .. } => {
                let identity = evidence.identity(labels);
                let of_sent =
                    |known: &&Labels| known.iter().all(|(name, value)| identity.get(name) == Some(value));
                // By what was sent: whoever adds to an alert's labels makes no other alert of it.
                let known = sent.iter().find(of_sent).cloned().unwrap_or(identity);
                if let Some(other) = open.insert(known, record.seq) {
                    says.push(format!(
                        "episode {} opens for an alert of which episode {other} is open",
                        record.seq
                    ));
                }
            }
            Event::Closed { episode, .. } => open.retain(|_, id| id != episode),
            _ => {}
        }
    }
}
