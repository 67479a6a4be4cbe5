//! Nothing is done for an alert that does not fire: shortly before an action was decided, the world's own alerts showed
//! its alert. A sequence that has begun needs it no more.

use paramedic_policies::event::Event;
use paramedic_policies::time::Span;

use super::Evidence;

/// A fact may be as old as the adapter lets pass, and as the engine does, and the question took its time.
const AGE_MAX: Span = Span::from_secs(30 + 30 + 25 + 15);

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    for intent in evidence.made() {
        if intent.reverts.is_some() || intent.step > 0 {
            continue;
        }
        let Some(Event::Opened { labels, .. }) = evidence.record(intent.episode).map(|record| &record.event)
        else {
            says.push(format!(
                "intent {} is for episode {}, which is not on the disk",
                intent.id, intent.episode
            ));
            continue;
        };
        let decided = evidence.handed(intent.id);
        let spells = evidence.tape.fired.get(&evidence.identity(labels));
        let fired = spells
            .into_iter()
            .flatten()
            .any(|(from, to)| *from <= decided && to.is_none_or(|to| decided.since(to) <= AGE_MAX));
        if !fired {
            says.push(format!(
                "intent {} on {} was decided at {decided}, when its alert did not fire",
                intent.id, intent.target
            ));
        }
    }
}
