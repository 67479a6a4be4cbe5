//! Every intent ends once, and as the world saw it: what is said to be done was done, and what is said not to have been
//! done was not, then or later.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::event::{Event, Seq};

use super::super::tape::Fate;
use super::{Evidence, stamped};

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut ended: BTreeMap<Seq, &Outcome> = BTreeMap::new();
    for record in evidence.records {
        if let Event::Ended { intent, outcome } = &record.event
            && ended.insert(*intent, outcome).is_some()
        {
            says.push(format!("intent {intent} ends a second time in record {}", record.seq));
        }
    }
    let made: BTreeSet<Seq> =
        evidence.tape.requests.iter().filter(|one| one.fate == Fate::Made).filter_map(stamped).collect();
    for (seq, intent) in &evidence.intents {
        let what = format!("intent {seq} ({} {})", intent.action, intent.target);
        let is_made = made.contains(seq);
        let Some(outcome) = ended.get(seq) else {
            says.push(format!("{what} never ends"));
            continue;
        };
        if intent.mode == Mode::DryRun {
            if is_made {
                says.push(format!("{what} was to be rehearsed, and changed the world"));
            }
            continue;
        }
        match outcome {
            // Who says that a failure left something behind where it did not has a person look: that harms nobody.
            Outcome::Done { already: false, .. } if !is_made => {
                says.push(format!("{what} is said to be done, and the world saw nothing"));
            }
            Outcome::Failed { applied: false, .. } | Outcome::Refused { .. } if is_made => {
                says.push(format!(
                    "{what} is said to be {} without an effect, and it had one",
                    outcome.name()
                ));
            }
            Outcome::Done { .. }
            | Outcome::Collected { .. }
            | Outcome::Refused { .. }
            | Outcome::Failed { .. }
            | Outcome::Unknown { .. } => {}
        }
    }
}
