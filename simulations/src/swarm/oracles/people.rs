//! What nobody knows the end of is told to a person, by what the receiver has; or its alert ended while the receiver took
//! nothing.

use std::collections::BTreeSet;

use paramedic_policies::action::Outcome;
use paramedic_policies::event::{Closing, Event, Seq};
use paramedic_policies::notifications::Receipt;

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
        let pages: BTreeSet<Seq> = calls(intent.episode).map(|call| call.seq).collect();
        if pages.is_empty() {
            says.push(format!("nobody knows how intent {} ended, and no person is called", intent.id));
        } else if told.is_disjoint(&pages) && !is_over(evidence, intent.episode, &pages) {
            says.push(format!("nobody knows how intent {} ended, and no person was told", intent.id));
        }
    }
}

/// Whether one of the pages was not delivered, and the alert ended before it was sent again.
fn is_over(evidence: &Evidence<'_>, episode: Seq, pages: &BTreeSet<Seq>) -> bool {
    let (mut notices, mut has_failed) = (BTreeSet::new(), false);
    evidence.records.iter().any(|record| match &record.event {
        Event::Notified { notice } => {
            if notice.pages.iter().any(|page| pages.contains(page)) {
                notices.insert(record.seq);
            }
            false
        }
        Event::Delivered { notice, receipt: Receipt::Failed { .. } } => {
            has_failed |= notices.contains(notice);
            false
        }
        Event::Closed { episode: closed, why: Closing::Resolved, .. } => has_failed && *closed == episode,
        _ => false,
    })
}
