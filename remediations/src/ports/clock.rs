//! What time it is, as an argument: the daemon reads the wall, the simulation its own. Waits are tokio's, so that
//! paused time works for both.

use std::sync::Arc;
use std::time::Duration;

use paramedic_policies::time::Moment;

/// Tells the present.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// How long it is until `deadline`; zero when it has passed.
pub fn left(clock: &Clock, deadline: Moment) -> Duration {
    deadline.since(clock()).duration()
}
