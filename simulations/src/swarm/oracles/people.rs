//! What nobody knows the end of is told to a person, by what the receiver has.

use std::collections::BTreeSet;

use paramedic_policies::action::Outcome;
use paramedic_policies::event::{Event, Seq};

use super::Evidence;

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let told: BTreeSet<Seq> = evidence.tape.told.iter().flat_map(|one| one.pages.iter().copied()).collect();
    // The records that called for a person about an episode.
    let calls = |episode: Seq| {
        evidence.records.iter().filter(move |record| match &record.event {
            Event::Escalated { case: Some(case), .. } => case.episode == episode,
            _ => false,
        })
    };
    for record in evidence.records {
        let Event::Ended { intent, outcome: Outcome::Unknown { .. } } = &record.event else { continue };
        let Some(intent) = evidence.intents.get(intent).filter(|intent| intent.reverts.is_none()) else {
            continue;
        };
        if intent.mode == paramedic_policies::action::Mode::DryRun {
            continue;
        }
        let mut pages = calls(intent.episode).map(|call| call.seq).peekable();
        if pages.peek().is_none() {
            says.push(format!("nobody knows how intent {} ended, and no person is called", intent.id));
        } else if !pages.any(|page| told.contains(&page)) {
            says.push(format!("nobody knows how intent {} ended, and no person was told", intent.id));
        }
    }
}
