//! Withheld while an alert of `unless:` is open: somebody or something else has the trouble in hand.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while one open episode meets all matchers of `unless:`.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let matchers = &view.policy.unless;
    if matchers.is_empty() {
        return Finding::allows(Guard::Unless, "");
    }
    let mut open = view.state.open.values().filter_map(|id| view.state.episodes.get(id));
    match open
        .find(|episode| episode.is_open() && matchers.iter().all(|matcher| matcher.meets(&episode.labels)))
    {
        Some(episode) => Finding::refuses(
            Guard::Unless,
            Reason::Unless { episode: episode.id, alert: episode.alert().to_owned() },
        ),
        None => Finding::allows(
            Guard::Unless,
            format!("none of {} open alerts is of unless:", view.state.open.len()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    fn unless_failover() -> World {
        let mut world = World::new();
        world.policy.unless = vec![is("alertname", "DatabaseFailover"), is("id", "9")];
        world
    }

    #[test]
    fn an_open_alert_that_meets_all_matchers_refuses() {
        let mut world = unless_failover();
        world.add_episode(episode(9, "DatabaseFailover", "08:20:00"));
        assert_eq!(world.says(judge), "refuses: DatabaseFailover is open (episode 9)");
    }

    #[test]
    fn one_that_meets_only_some_of_them_or_is_closed_allows() {
        let mut world = unless_failover();
        world.add_episode(episode(8, "DatabaseFailover", "08:20:00"));
        let closed = Some(at("08:25:00"));
        world.add_episode(crate::state::Episode {
            closed_at: closed,
            ..episode(9, "DatabaseFailover", "08:20:00")
        });
        assert_eq!(world.says(judge), "allows: none of 3 open alerts is of unless:");
    }
}
