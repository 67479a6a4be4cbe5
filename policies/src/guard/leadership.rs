//! Only the leader acts. Never settles who that is; the lease does.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses while another process leads.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    if view.state.leader {
        Finding::allows(Guard::Leadership, format!("leads, epoch {}", view.state.epoch))
    } else {
        Finding::refuses(Guard::Leadership, Reason::NotLeading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    #[test]
    fn a_process_that_does_not_lead_refuses() {
        let mut world = World::new();
        world.state.leader = false;
        assert_eq!(world.says(judge), "refuses: another process leads");
    }

    #[test]
    fn the_leader_may_act() {
        assert_eq!(World::new().says(judge), "allows: leads, epoch 3");
    }
}
