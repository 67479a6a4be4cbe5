//! How many distinct targets may be acted on in a window, whichever policy acts: many small wounds are a large one.

use std::collections::BTreeMap;

use crate::guard::{Finding, Guard, View, ledger};
use crate::policy::BlastScope;
use crate::reason::Reason;
use crate::target::Target;
use crate::time::Moment;

/// Refuses where this target would be one too many.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(blast) = &view.policy.guards.blast_targets else {
        return Finding::allows(Guard::BlastTargets, "no ceiling is set");
    };
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::BlastTargets);
    };
    let mut last_at: BTreeMap<&Target, Moment> = BTreeMap::new();
    for charge in ledger::within(view, blast.per) {
        let counts = match blast.within {
            BlastScope::Namespace => charge.target.namespace == target.namespace,
            BlastScope::Cluster => true,
        };
        if counts && charge.target != *target {
            let last = last_at.entry(&charge.target).or_insert(charge.at);
            *last = charge.at.max(*last);
        }
    }
    let others = last_at.len();
    let have = u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1);
    let (allow, per) = (blast.max, blast.per);
    if have <= allow {
        let within = match blast.within {
            BlastScope::Namespace => format!("namespace {}", target.namespace),
            BlastScope::Cluster => "the cluster".to_owned(),
        };
        return Finding::allows(
            Guard::BlastTargets,
            format!("would be target {have} of {allow} allowed in {per} in {within}"),
        );
    }
    // As soon as all but `allow - 1` others have dropped out of the window; a ceiling of none never opens.
    let mut moments: Vec<Moment> = last_at.into_values().collect();
    moments.sort_unstable();
    let until = moments.get(others.saturating_sub(allow as usize)).map_or(view.now + per, |at| *at + per);
    Finding::refuses(Guard::BlastTargets, Reason::TooManyTargets { have, allow, per, until })
}
