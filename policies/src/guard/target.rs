//! The target must have a name, made of values that are what they must become. Naming it is the engine's.

use crate::guard::{Finding, Guard, View};

/// Refuses where the target cannot be named; nobody asked while it must be looked up first.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    match view.target {
        Some(Ok(target)) => Finding::allows(Guard::Target, target.to_string()),
        Some(Err(reason)) => Finding::refuses(Guard::Target, reason.clone()),
        None => Finding::not_asked(Guard::Target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;
    use crate::reason::Reason;

    #[test]
    fn a_target_that_cannot_be_named_refuses() {
        let mut world = World::new();
        world.target = Some(Err(Reason::BadValue {
            what: "namespace".to_owned(),
            problem: "`../etc` is no DNS label".to_owned(),
        }));
        assert_eq!(world.says(judge), "refuses: no usable namespace: `../etc` is no DNS label");
    }

    #[test]
    fn a_named_target_allows_and_one_to_be_looked_up_is_not_asked_about() {
        let mut world = World::new();
        assert_eq!(world.says(judge), "allows: prod/deployment/web");
        world.target = None;
        assert_eq!(world.says(judge), "not asked");
    }
}
