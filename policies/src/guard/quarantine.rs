//! A policy whose actions do not help acts no more, until an operator resumes it. Counting is `apply`'s.

use crate::counted::counted;
use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while the policy is in quarantine.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let efficacy = view.state.efficacy.get(&view.policy.name);
    let rounds = efficacy.map_or(0, |efficacy| efficacy.ineffective);
    if let Some(since) = efficacy.and_then(|efficacy| efficacy.quarantined_since) {
        return Finding::refuses(Guard::Quarantine, Reason::Quarantined { since, rounds });
    }
    Finding::allows(
        Guard::Quarantine,
        match view.policy.on_failure.quarantine_after {
            0 => format!("{} in a row did not help, never quarantined", counted(rounds, "round")),
            after => format!("{rounds} of {after} rounds in a row did not help"),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;
    use crate::state::Efficacy;

    #[test]
    fn a_policy_in_quarantine_refuses() {
        let mut world = World::new();
        let efficacy = Efficacy { ineffective: 3, quarantined_since: Some(at("07:00:00")) };
        world.state.efficacy.insert("restart-web".to_owned(), efficacy);
        assert_eq!(
            world.says(judge),
            "refuses: quarantined since 2026-11-21T07:00:00.000Z: 3 rounds in a row did not help"
        );
    }

    #[test]
    fn rounds_below_the_bound_allow() {
        let mut world = World::new();
        let efficacy = Efficacy { ineffective: 2, quarantined_since: None };
        world.state.efficacy.insert("restart-web".to_owned(), efficacy);
        assert_eq!(world.says(judge), "allows: 2 of 3 rounds in a row did not help");
        world.policy.on_failure.quarantine_after = 0;
        assert_eq!(world.says(judge), "allows: 2 rounds in a row did not help, never quarantined");
    }
}
