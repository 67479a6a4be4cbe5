//! The remediation's own look at its target: all that it found against the action refuses, each by itself.

use crate::guard::{Finding, Guard, View, fact};
use crate::question::Fact;

/// One finding for each refusal of the preflight; one that allows where there is none.
pub(crate) fn judge(view: &View<'_>) -> Vec<Finding> {
    let preflight = match fact::preflight(view) {
        Ok(preflight) => preflight,
        Err(unseen) => return vec![unseen.finding(Guard::Preflight)],
    };
    if !preflight.refusals.is_empty() {
        let refuse = |reason: &crate::reason::Reason| Finding::refuses(Guard::Preflight, reason.clone());
        return preflight.refusals.iter().map(refuse).collect();
    }
    let would = match &preflight.action {
        Some(action) => action.to_string(),
        None if preflight.already => "the desired state already holds".to_owned(),
        None => {
            let nothing = fact::unknown(&Fact::Preflight, "neither an action nor a refusal");
            return vec![nothing.finding(Guard::Preflight)];
        }
    };
    let detail =
        std::iter::once(would).chain(preflight.passed.iter().cloned()).collect::<Vec<_>>().join("; ");
    vec![Finding::allows(Guard::Preflight, detail)]
}
