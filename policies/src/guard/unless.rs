//! Withheld while an alert of `unless:` is open: somebody or something else has the trouble in hand.

use crate::counted::counted;
use crate::event::Seq;
use crate::guard::{Finding, Guard, View};
use crate::matcher::Matcher;
use crate::reason::Reason;
use crate::state::Episode;

/// Refuses while one open episode meets all matchers of `unless:`.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let matchers = &view.policy.unless;
    if matchers.is_empty() {
        return Finding::allows(Guard::Unless, "");
    }
    match open_that_meets(view, matchers) {
        Some(episode) => Finding::refuses(
            Guard::Unless,
            Reason::Unless { episode: episode.id, alert: episode.alert().to_owned() },
        ),
        None => Finding::allows(
            Guard::Unless,
            format!("none of {} is of unless:", counted(view.state.open.len(), "open alert")),
        ),
    }
}

fn open_that_meets<'a>(view: &View<'a>, matchers: &[Matcher]) -> Option<&'a Episode> {
    let state = view.state;
    let meets = |id: Seq| {
        let episode = state.episodes.get(&id).filter(|episode| episode.is_open())?;
        matchers.iter().all(|matcher| matcher.meets(&episode.labels)).then_some(episode)
    };
    match state.indexes.may_meet(matchers) {
        Some(mut candidates) => candidates.find_map(meets),
        // Of a book that the state does not hold.
        None => state.open.values().copied().find_map(meets),
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

    /// The index names the same alerts as a look at every open one, whatever the matchers are.
    #[test]
    fn any_matcher_finds_what_a_look_at_every_open_alert_finds() {
        let mut regexes = crate::matcher::Regexes::default();
        let mut check = |texts: &[&str], says: &str| {
            let mut world = World::new();
            world.add_episode(episode(8, "Failover", "08:20:00"));
            world.add_episode(episode(9, "Failover", "08:20:00"));
            let parse = |text: &&str| Matcher::parse(text, &mut regexes).expect("a matcher");
            world.policy.unless = texts.iter().map(parse).collect();
            let told = world.says(judge);
            assert_eq!(told, says, "{texts:?}");
        };
        check(&["id=\"9\"", "alertname=\"Failover\""], "refuses: Failover is open (episode 9)");
        check(&["alertname=~\"Fail.*\"", "id!=\"8\""], "refuses: Failover is open (episode 9)");
        check(&["id=~\"[89]\""], "refuses: Failover is open (episode 8)");
        check(&["team=\"\"", "alertname=\"WebDown\""], "refuses: WebDown is open (episode 1)");
        check(&["team!=\"\""], "allows: none of 3 open alerts is of unless:");
        check(&["alertname=\"Failover\"", "id=\"1\""], "allows: none of 3 open alerts is of unless:");
        check(&["alertname!~\".*\""], "allows: none of 3 open alerts is of unless:");
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
