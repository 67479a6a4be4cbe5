//! After the faults stop everything comes to rest: within the bound every episode is closed, every case has come to an end
//! or was refused for good, every question is answered, and what was to be taken back is, or a person knows why not.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::state::CaseId;

use super::Evidence;

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut open: BTreeSet<Seq> = BTreeSet::new();
    let mut under_way: BTreeMap<CaseId, Seq> = BTreeMap::new();
    let mut leased: BTreeSet<Seq> = BTreeSet::new();
    for record in evidence.records {
        match &record.event {
            Event::Opened { .. } => {
                open.insert(record.seq);
            }
            Event::Closed { episode, .. } => {
                open.remove(episode);
            }
            Event::Intended { intent } if intent.reverts.is_none() => {
                under_way.insert(CaseId::of(intent), record.seq);
            }
            Event::Concluded { case, .. } => {
                under_way.remove(case);
            }
            // It goes on, and will be seen again by what it does next.
            Event::Advanced { case, .. } => {
                under_way.remove(case);
            }
            Event::Ended { intent, outcome } => ended(evidence, *intent, outcome, &mut leased),
            Event::RevertDropped { intent, .. } => {
                leased.remove(intent);
            }
            // Given up after several tries: a person knows of it.
            Event::Escalated { why, .. } => {
                leased.retain(|intent| !why.contains(&format!("(intent {intent})")))
            }
            _ => {}
        }
    }
    for episode in open {
        says.push(format!("episode {episode} is open at the end ({})", evidence.ended));
    }
    for (case, intent) in under_way {
        says.push(format!("{case} began intent {intent} and never came to an end"));
    }
    for intent in leased {
        says.push(format!("intent {intent} was to be taken back, and was not"));
    }
    if evidence.ended >= evidence.plan.bound {
        says.push(format!("it does not rest by {}", evidence.plan.bound));
    }
}

fn ended(evidence: &Evidence<'_>, seq: Seq, outcome: &Outcome, leased: &mut BTreeSet<Seq>) {
    let Some(intent) = evidence.intents.get(&seq) else { return };
    let (is_done, is_changed) = match outcome {
        Outcome::Done { already, .. } => (true, !already),
        Outcome::Failed { applied, .. } => (*applied, *applied),
        Outcome::Collected { .. } | Outcome::Refused { .. } | Outcome::Unknown { .. } => (false, false),
    };
    if let Some(back) = intent.reverts {
        // Also where nothing of it was left: another intent blocks the same address for longer, or somebody was first.
        if is_done {
            leased.remove(&back);
        }
    } else if is_changed && intent.mode != Mode::DryRun && intent.revert_after.is_some() {
        leased.insert(seq);
    }
}
