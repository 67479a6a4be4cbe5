//! `for:` of a policy: how long the episode must have been open, counted from when we first heard of it, since a
//! sender's clock is not ours.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while the episode is younger than `for:`.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    if view.episode.by_hand.is_some() {
        return Finding::allows(Guard::For, "by hand: there is no alert that must last");
    }
    let wanted = view.policy.wait;
    let age = view.now.since(view.episode.opened_at);
    if age < wanted {
        let until = view.episode.opened_at + wanted;
        return Finding::refuses(Guard::For, Reason::TooYoung { age, wanted, until });
    }
    Finding::allows(Guard::For, format!("open for {age}, wanted for {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    #[test]
    fn an_episode_younger_than_wanted_refuses() {
        let mut world = World::new();
        world.policy.wait = span("45m");
        assert_eq!(
            world.says(judge),
            "refuses: open for 30m, wanted for 45m, until 2026-11-21T08:45:00.000Z"
        );
    }

    #[test]
    fn one_of_exactly_that_age_allows() {
        let mut world = World::new();
        world.policy.wait = span("30m");
        assert_eq!(world.says(judge), "allows: open for 30m, wanted for 30m");
    }
}
