//! Where two policies want one target, the one with the higher priority comes first, then the lesser name. It keeps
//! its precedence only until it has been decided once: a policy that withholds does not block the others.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;
use crate::state::{Case, Phase};

/// Refuses while a case with precedence on the same target has not been decided.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::Precedence);
    };
    let ours = (view.policy.priority, &view.policy.name);
    let mut first: Option<&Case> = None;
    let mut others = 0_usize;
    for case in view.others_on(target).filter(|case| case.id.policy != view.policy.name) {
        others += 1;
        let before = |case: &Case, rank: (i32, &String)| {
            case.priority > rank.0 || (case.priority == rank.0 && case.id.policy < *rank.1)
        };
        if before(case, ours)
            && is_undecided(view, case)
            && first.is_none_or(|best| before(case, (best.priority, &best.id.policy)))
        {
            first = Some(case);
        }
    }
    match first {
        Some(case) => Finding::refuses(Guard::Precedence, Reason::Outranked { by: case.id.policy.clone() }),
        None => Finding::allows(
            Guard::Precedence,
            format!("priority {}, before {others} other cases on this target", view.policy.priority),
        ),
    }
}

/// Whether the case is about to be decided for the first time, or a person has approved it.
fn is_undecided(view: &View<'_>, case: &Case) -> bool {
    let open = view.state.episodes.get(&case.id.episode).is_some_and(|episode| episode.is_open());
    let first = case.last_ruling.is_none();
    open && match &case.phase {
        Phase::Waiting { due } => first && *due <= view.now,
        Phase::Asking { .. } => first,
        Phase::Approved { .. } => true,
        Phase::Proposed { .. }
        | Phase::Acting { .. }
        | Phase::Verifying { .. }
        | Phase::Withheld
        | Phase::Resting => false,
    }
}
