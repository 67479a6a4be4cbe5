//! What is done is what was approved, or nothing: after an approval it is decided again with fresh facts, and what
//! would be done now must be the very same.

use crate::guard::{Finding, Guard, View, fact};
use crate::reason::Reason;
use crate::state::Phase;

/// Refuses where what was approved is not what would be done now.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Phase::Approved { action: approved, by, .. } = &view.case.phase else {
        let order = view.episode.by_hand.as_ref();
        let detail = order.map(|order| format!("ordered by {}", order.by)).unwrap_or_default();
        return Finding::allows(Guard::Approval, detail);
    };
    // Why there is no preflight, the guard of that name says.
    let Ok(preflight) = fact::preflight(view) else {
        return Finding::not_asked(Guard::Approval);
    };
    match &preflight.action {
        Some(now) if now.does_the_same(approved) => {
            Finding::allows(Guard::Approval, format!("{now}, as approved by {by}"))
        }
        now => {
            let approved = approved.to_string();
            let now = match now.as_ref().map(ToString::to_string) {
                None => "nothing".to_owned(),
                // Such as a restart of another generation.
                Some(now) if now == approved => format!("{now} of an object that has changed"),
                Some(now) => now,
            };
            Finding::refuses(Guard::Approval, Reason::NotAsApproved { approved, now })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::guard::fixtures::*;
    use crate::remediation::{restart, scale as scaling};
    use std::collections::BTreeSet;

    fn approved(action: Action) -> World {
        let mut world = World::new();
        world.case.phase =
            Phase::Approved { action, by: "ann".to_owned(), open: BTreeSet::new(), due: at("08:31:00") };
        world.preflight(|_| {});
        world
    }

    #[test]
    fn another_action_than_the_approved_one_refuses() {
        assert_eq!(
            approved(scale(2, 4)).says(judge),
            "refuses: approved was `scale 2 -> 4`, now it would be `scale 3 -> 5`"
        );
        let mut world = approved(scale(3, 5));
        world.preflight(|preflight| preflight.action = None);
        assert_eq!(world.says(judge), "refuses: approved was `scale 3 -> 5`, now it would be `nothing`");
        world.case.facts.clear();
        assert_eq!(world.says(judge), "not asked");
    }

    #[test]
    fn the_same_words_about_a_changed_object_refuse() {
        let mut world = approved(Action::Restart(restart::Action { generation: 4 }));
        world.preflight(|preflight| {
            preflight.action = Some(Action::Restart(restart::Action { generation: 5 }))
        });
        assert_eq!(
            world.says(judge),
            "refuses: approved was `restart`, now it would be `restart of an object that has changed`"
        );
    }

    /// As a release in between changes it, or the first look of a version that knows it.
    #[test]
    fn who_wrote_the_number_last_is_no_part_of_what_was_approved() {
        let set_by = |by: Option<&str>| match scale(3, 5) {
            Action::Scale(action) => {
                Action::Scale(scaling::Action { set_by: by.map(str::to_owned), ..action })
            }
            other => panic!("{other:?}"),
        };
        for before in [None, Some("helm at 2026-11-21T07:00:00.000Z")] {
            let mut world = approved(set_by(before));
            world.preflight(|preflight| {
                preflight.action = Some(set_by(Some("helm at 2026-11-21T08:25:00.000Z")));
            });
            assert_eq!(world.says(judge), "allows: scale 3 -> 5, as approved by ann", "{before:?}");
        }
        let mut world = approved(set_by(None));
        world.preflight(|preflight| {
            let Some(Action::Scale(action)) = &mut preflight.action else { panic!("it is one") };
            action.lever = scaling::Lever::MinReplicas { hpa: "web".to_owned(), uid: "uid-hpa".to_owned() };
        });
        assert!(world.says(judge).starts_with("refuses: "), "another field is another act");
    }

    #[test]
    fn the_approved_action_allows() {
        assert_eq!(approved(scale(3, 5)).says(judge), "allows: scale 3 -> 5, as approved by ann");
        assert_eq!(World::new().says(judge), "allows: ");
    }
}
