//! One intent at a time per target, over all policies: until its effect has ended and it has been seen whether it
//! helped, nobody else touches the target.

use crate::event::Seq;
use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;
use crate::state::Phase;
use crate::target::Target;

/// Refuses while an effect on the target is under way, or another case watches what its own did.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let Some(target) = view.known_target() else {
        return Finding::not_asked(Guard::InFlight);
    };
    match running(view, target).or_else(|| watched(view, target)) {
        Some(intent) => Finding::refuses(Guard::InFlight, Reason::AlreadyRunning { intent }),
        None => Finding::allows(
            Guard::InFlight,
            format!("{} effects under way, none on this target", view.state.in_flight.len()),
        ),
    }
}

fn running(view: &View<'_>, target: &Target) -> Option<Seq> {
    view.state.in_flight.iter().find(|(_, flight)| flight.intent.target == *target).map(|(intent, _)| *intent)
}

fn watched(view: &View<'_>, target: &Target) -> Option<Seq> {
    view.others_on(target).find_map(|case| match case.phase {
        Phase::Verifying { intent, .. } => Some(intent),
        Phase::Waiting { .. }
        | Phase::Asking { .. }
        | Phase::Proposed { .. }
        | Phase::Approved { .. }
        | Phase::Acting { .. }
        | Phase::Withheld
        | Phase::Resting => None,
    })
}
