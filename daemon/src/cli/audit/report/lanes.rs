//! Which lane of the picture a record stands on. Questions, answers and single looks are not in the timeline: they are
//! in the curves.

use paramedic_policies::event::Event;

use super::incident::Lane;

/// Its lane; `None` for what most readers skip.
pub(super) fn lane(event: &Event) -> Option<Lane> {
    match event {
        Event::Opened { by_hand: Some(_), .. } => Some(Lane::People),
        Event::Received { .. } | Event::Opened { by_hand: None, .. } | Event::Closed { .. } => {
            Some(Lane::Alerts)
        }
        Event::Ruled { .. } | Event::Advanced { .. } | Event::Concluded { .. } => Some(Lane::Rulings),
        Event::Intended { .. }
        | Event::Ended { .. }
        | Event::RevertDropped { .. }
        | Event::RevertHeld { .. } => Some(Lane::Actions),
        Event::Verified { .. } => Some(Lane::Verifications),
        Event::Escalated { .. }
        | Event::Notified { .. }
        | Event::Delivered { .. }
        | Event::Raised { .. }
        | Event::Acknowledged { .. }
        | Event::RevertOrdered { .. }
        | Event::Cancelled { .. }
        | Event::Approved { .. }
        | Event::Denied { .. }
        | Event::Lapsed { .. }
        | Event::OrderRefused { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::ClockAccepted { .. } => Some(Lane::People),
        Event::Adopted { .. }
        | Event::StormBegan { .. }
        | Event::StormEnded
        | Event::Quarantined { .. }
        | Event::Reigned { .. }
        | Event::Began { .. }
        | Event::ClockStepped { .. } => Some(Lane::Daemon),
        Event::Asked { .. }
        | Event::Told { .. }
        | Event::Held { .. }
        | Event::Looked { .. }
        | Event::StormGoesOn { .. } => None,
    }
}
